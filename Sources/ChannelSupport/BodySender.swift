package import CacheStore
package import NIOCore

/// Reads, checks and sends a large body piece by piece, one piece in flight. The last piece is held back until the
/// checksum is known, so that nobody gets a whole body with wrong bytes. To be used on the channel's event loop only.
package final class BodySender {
  /// Bytes of a piece: a bound on memory per connection, and on how long an event loop is busy with it.
  private static let pieceSize = 1 << 18

  /// Bytes of a body that need not be sent in pieces: up to here one read and one check cost less than a second system
  /// call to the socket.
  package static let wholeLimit: UInt64 = 1 << 17

  private let entry: OpenEntry
  private let blob: OpenBlob
  private let channel: any Channel
  private let delay: @Sendable (Int) -> TimeAmount
  private let checksum = Checksum.Stream()
  private let done: EventLoopPromise<Bool>
  private var offset: UInt64 = 0

  /// - Parameter delay: how long to wait before so many bytes are sent.
  package init(
    entry: OpenEntry, blob: OpenBlob, channel: any Channel,
    delay: @escaping @Sendable (Int) -> TimeAmount = { _ in .zero }
  ) {
    self.entry = entry
    self.blob = blob
    self.channel = channel
    self.delay = delay
    done = channel.eventLoop.makePromise()
  }

  /// Sends everything. False: the body broke off or is damaged, and the connection has been closed.
  package func start() -> EventLoopFuture<Bool> {
    sendNext()
    return done.futureResult
  }

  private func sendNext() {
    let count = Int(min(UInt64(Self.pieceSize), entry.size - offset))
    let pause = delay(count)
    guard pause > .zero else { return sendPiece(count) }
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    channel.eventLoop.scheduleTask(in: pause) { this.value.sendPiece(count) }
  }

  private func sendPiece(_ count: Int) {
    var piece = channel.allocator.buffer(capacity: count)
    var isRead = false
    piece.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
      let part = UnsafeMutableRawBufferPointer(rebasing: space[..<count])
      isRead = blob.read(at: offset, into: part)
      if isRead { checksum.update(UnsafeRawBufferPointer(part)) }
      return isRead ? count : 0
    }
    offset += UInt64(count)
    let isLast = offset == entry.size
    guard isRead, !isLast || checksum.value == entry.record.checksum else {
      entry.reportDamage()
      channel.close(promise: nil)
      return done.succeed(false)
    }
    if isLast { entry.reportVerified() }
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    channel.writeAndFlush(piece).whenComplete { result in
      switch result {
      case .failure: this.value.done.succeed(false)
      case .success where isLast: this.value.done.succeed(true)
      case .success: this.value.sendNext()
      }
    }
  }
}
