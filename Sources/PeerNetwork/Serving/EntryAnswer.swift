import CacheStore
import ChannelSupport
import NIOCore

/// The answer to who asks for an entry that is there. To be used on the channel's event loop only.
struct EntryAnswer {
  /// Up to here a body is read and sent as a whole.
  private static let wholeLimit: UInt64 = 1 << 17
  /// A peer takes a piece of an answer within this time, at a rate that is still worth it.
  static let sendPatience = TimeAmount.seconds(20)

  let entry: OpenEntry
  let service: PeerService
  let channel: any Channel
  /// Called with the time within which the next piece should be gone.
  let expect: (TimeAmount) -> Void

  /// False: the peer has not got all of it.
  func send() -> EventLoopFuture<Bool> {
    let head = EntryHead(entry).message
    guard let blob = entry.blob, entry.size > Self.wholeLimit else { return sendWhole(head) }
    channel.send(head)
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    return BodySender(entry: entry, blob: blob, channel: channel) { this.value.delay(of: $0) }.start()
  }

  /// How long to wait before so many bytes are sent.
  private func delay(of count: Int) -> TimeAmount {
    let delay = service.limits.delay(of: count)
    expect(Self.sendPatience + delay)
    return delay
  }

  private func sendWhole(_ head: MessageHead) -> EventLoopFuture<Bool> {
    let size = Int(entry.size)
    var buffer = channel.allocator.buffer(capacity: 512 + size)
    head.write(into: &buffer)
    var isSound = true
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
      isSound = entry.readAll(into: UnsafeMutableRawBufferPointer(rebasing: space[..<size]))
      return isSound ? size : 0
    }
    guard isSound else {
      channel.send(.answer(.missing))
      return channel.eventLoop.makeSucceededFuture(false)
    }
    let delay = delay(of: size)
    let (channel, answer) = (channel, buffer)
    let written =
      delay == .zero
      ? channel.writeAndFlush(answer)
      : channel.eventLoop.flatScheduleTask(in: delay) { channel.writeAndFlush(answer) }.futureResult
    return written.map { true }.recover { _ in false }
  }
}
