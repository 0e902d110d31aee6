import CacheStore
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes an entry's body to a channel, never bytes that do not match its checksum: small bodies are checked in memory;
/// large ones are checked while they are sent for the first time, with the last piece held back until the checksum is
/// known, and from then on go out by `sendfile`.
struct EntrySender {
  /// Up to here one read and one check cost less than a second system call to the socket.
  static let wholeLimit: UInt64 = 1 << 17
  /// Piece of a large body: a bound on memory per connection, and on how long an event loop is busy with it.
  private static let pieceSize = 1 << 18

  enum Result: Sendable {
    case sent
    /// Nothing was written: the caller may still answer that there is no such entry.
    case damaged
    /// The body broke off or was damaged on the way; the connection has been closed.
    case broken
  }

  /// Writes `head` and the body, and flushes. The result comes when all has been handed to the socket, or, for small
  /// bodies, to the channel.
  static func send(_ entry: OpenEntry, head: ByteBuffer, on channel: any Channel) -> EventLoopFuture<Result> {
    if entry.size <= wholeLimit { return sendWhole(entry, head: head, on: channel) }
    guard let blob = entry.blob else { return channel.eventLoop.makeSucceededFuture(.damaged) }
    if entry.isVerified, let file = duplicate(blob) {
      return sendFile(file, size: Int(entry.size), head: head, on: channel)
    }
    channel.write(head, promise: nil)
    return PieceSender(entry: entry, blob: blob, channel: channel).start(pieceSize: pieceSize)
  }

  private static func sendWhole(
    _ entry: OpenEntry, head: ByteBuffer, on channel: any Channel
  ) -> EventLoopFuture<Result> {
    var buffer = head
    var isSound = true
    if let body = entry.inlineBody {
      buffer.writeBytes(body)
    } else {
      let size = Int(entry.size)
      buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
        isSound = entry.readAll(into: UnsafeMutableRawBufferPointer(rebasing: space[..<size]))
        return isSound ? size : 0
      }
    }
    if isSound { channel.writeAndFlush(buffer, promise: nil) }
    return channel.eventLoop.makeSucceededFuture(isSound ? .sent : .damaged)
  }

  private static func duplicate(_ blob: OpenBlob) -> NIOFileHandle? {
    let descriptor = fcntl(blob.descriptor, F_DUPFD_CLOEXEC, 3)
    return descriptor < 0 ? nil : NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
  }

  private static func sendFile(
    _ file: NIOFileHandle, size: Int, head: ByteBuffer, on channel: any Channel
  ) -> EventLoopFuture<Result> {
    channel.write(head, promise: nil)
    let region = FileRegion(fileHandle: file, readerIndex: 0, endIndex: size)
    let done = channel.eventLoop.makePromise(of: Void.self)
    channel.writeAndFlush(region, promise: done)
    return done.futureResult.map { Result.sent }.flatMapErrorThrowing { _ in .broken }.always { _ in
      try? file.close()
    }
  }
}

/// Reads, checks and sends a large body piece by piece, one piece in flight. Used on the channel's event loop only.
private final class PieceSender {
  private let entry: OpenEntry
  private let blob: OpenBlob
  private let channel: any Channel
  private let checksum = Checksum.Stream()
  private let done: EventLoopPromise<EntrySender.Result>
  private var offset: UInt64 = 0

  init(entry: OpenEntry, blob: OpenBlob, channel: any Channel) {
    self.entry = entry
    self.blob = blob
    self.channel = channel
    done = channel.eventLoop.makePromise()
  }

  func start(pieceSize: Int) -> EventLoopFuture<EntrySender.Result> {
    sendNext(pieceSize)
    return done.futureResult
  }

  private func sendNext(_ pieceSize: Int) {
    let count = Int(min(UInt64(pieceSize), entry.size - offset))
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
      return done.succeed(.broken)
    }
    if isLast { entry.reportVerified() }
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    channel.writeAndFlush(piece).whenComplete { result in
      switch result {
      case .failure: this.value.done.succeed(.broken)
      case .success where isLast: this.value.done.succeed(.sent)
      case .success: this.value.sendNext(pieceSize)
      }
    }
  }
}
