import CacheStore
import ChannelSupport
import ControlProtocol
import LayeredCache
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Answers a tool's question: looks the key up, counts, and writes the body to the tool's channel. Never sends bytes that
/// do not match their checksum: small bodies are checked in memory; large ones are checked while they are sent for the
/// first time, with the last piece held back until the checksum is known, and from then on go out by `sendfile`.
struct EntrySender {
  let server: ServerContext
  let channel: any Channel

  enum Result: Sendable {
    case sent
    /// Nothing was written: there is no such entry, or it was damaged.
    case missing
    /// The body broke off or was damaged on the way; the connection has been closed.
    case broken
  }

  /// Up to here one read and one check cost less than a second system call to the socket.
  static let wholeLimit: UInt64 = 1 << 17

  /// What precedes a body: made of its size in bytes, and of the milliseconds that the tool once took to make it.
  typealias Head = (_ size: UInt64, _ duration: UInt32?) -> ByteBuffer

  /// Writes what `head` makes, and the body, and flushes. The result comes when all has been handed
  /// to the socket, or, for small bodies, to the channel. To be called on the channel's event loop.
  func answer(
    _ key: CacheKey, for account: StatisticsAccount, head: @escaping Head
  ) -> EventLoopFuture<Result> {
    let removals = server.store.removals
    let source = account.takePrefetched(key)
    if let recent = server.recent.find(key, removals: removals) {
      let size = UInt64(recent.body.readableBytes)
      account.record(
        key,
        hit: .init(layer: source?.layer ?? .local, bytes: size, duration: recent.duration, peer: source?.peer))
      channel.write(head(size, recent.duration), promise: nil)
      channel.writeAndFlush(recent.body, promise: nil)
      return channel.eventLoop.makeSucceededFuture(.sent)
    }
    if let entry = server.cache.lookup(key, from: source, for: account) {
      return send(entry, from: source, for: account, head: head(entry.size, entry.record.duration), removals: removals)
    }
    guard let fetch = server.cache.fetch(key, for: account, on: channel.eventLoop) else {
      _ = server.cache.finishLookup(key, fetched: nil, for: account)
      return channel.eventLoop.makeSucceededFuture(.missing)
    }
    let this = NIOLoopBound((self, head), eventLoop: channel.eventLoop)
    return fetch.flatMap { fetched in
      let (sender, head) = this.value
      if let fetched, let body = fetched.body {
        sender.send(
          fetched, body, of: key, for: account, head: head(fetched.size, fetched.duration), removals: removals)
        return sender.channel.eventLoop.makeSucceededFuture(.sent)
      }
      guard let entry = sender.server.cache.finishLookup(key, fetched: fetched, for: account) else {
        return sender.channel.eventLoop.makeSucceededFuture(.missing)
      }
      return sender.send(
        entry, from: fetched, for: account, head: head(entry.size, entry.record.duration), removals: removals)
    }
  }

  private func send(
    _ fetched: FetchedEntry, _ body: ByteBuffer, of key: CacheKey, for account: StatisticsAccount, head: ByteBuffer,
    removals: Int64
  ) {
    server.cache.finishLookup(key, with: fetched, for: account)
    server.recent.insert(key, body: body, duration: fetched.duration, removals: removals)
    var buffer = head
    buffer.writeImmutableBuffer(body)
    channel.writeAndFlush(buffer, promise: nil)
  }

  private func send(
    _ entry: OpenEntry, from source: FetchedEntry?, for account: StatisticsAccount, head: ByteBuffer, removals: Int64
  ) -> EventLoopFuture<Result> {
    server.transfers.begin()
    let (server, loopEntry) = (server, NIOLoopBound(entry, eventLoop: channel.eventLoop))
    return send(entry, head: head, removals: removals).map { result in
      server.transfers.end()
      if result != .sent { server.cache.retract(loopEntry.value, from: source, for: account) }
      return result
    }
  }

  private func send(_ entry: OpenEntry, head: ByteBuffer, removals: Int64) -> EventLoopFuture<Result> {
    let isVerified = entry.isVerified
    let isFileFaster = entry.size > RecentBodies.bodyLimit && isVerified
    if entry.size <= Self.wholeLimit, !isFileFaster { return sendWhole(entry, head: head, removals: removals) }
    guard let blob = entry.blob else { return channel.eventLoop.makeSucceededFuture(.missing) }
    if isVerified, let file = Self.duplicate(blob) { return sendFile(file, size: Int(entry.size), head: head) }
    channel.write(head, promise: nil)
    return BodySender(entry: entry, blob: blob, channel: channel).start().map { $0 ? .sent : .broken }
  }

  private func sendWhole(_ entry: OpenEntry, head: ByteBuffer, removals: Int64) -> EventLoopFuture<Result> {
    var buffer = head
    let size = Int(entry.size)
    if let body = entry.inlineBody {
      buffer.writeBytes(body)
    } else {
      var isSound = true
      buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
        isSound = entry.readAll(into: UnsafeMutableRawBufferPointer(rebasing: space[..<size]))
        return isSound ? size : 0
      }
      guard isSound else { return channel.eventLoop.makeSucceededFuture(.missing) }
      entry.reportVerified()
    }
    if let body = buffer.getSlice(at: buffer.writerIndex - size, length: size) {
      server.recent.insert(entry.record.key, body: body, duration: entry.record.duration, removals: removals)
    }
    channel.writeAndFlush(buffer, promise: nil)
    return channel.eventLoop.makeSucceededFuture(.sent)
  }

  private static func duplicate(_ blob: OpenBlob) -> NIOFileHandle? {
    let descriptor = fcntl(blob.descriptor, F_DUPFD_CLOEXEC, 3)
    return descriptor < 0 ? nil : NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
  }

  private func sendFile(_ file: NIOFileHandle, size: Int, head: ByteBuffer) -> EventLoopFuture<Result> {
    // Head and file are two system calls; corked, the reader is not woken up for the head alone.
    setCork(1)
    channel.write(head, promise: nil)
    let region = FileRegion(fileHandle: file, readerIndex: 0, endIndex: size)
    let done = channel.eventLoop.makePromise(of: Void.self)
    channel.writeAndFlush(region, promise: done)
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    return done.futureResult.map { Result.sent }.flatMapErrorThrowing { _ in
      this.value.channel.close(promise: nil)
      return .broken
    }.always { _ in
      this.value.setCork(0)
      try? file.close()
    }
  }

  /// Fails on a Unix socket, which needs no cork.
  private func setCork(_ value: Int) {
    try? channel.syncOptions?.setOption(
      ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_CORK)), value: value)
  }
}
