import CacheStore
import ChannelSupport
import ControlProtocol
import Glibc
import LayeredCache
import NIOCore

/// Answers a tool's question: looks the key up, counts, and writes the body to the tool's channel. Never sends bytes
/// that do not match their checksum: small bodies are checked in memory; large ones are checked while they are sent for
/// the first time, with the last piece held back until the checksum is known, and from then on go out by `sendfile`.
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

  /// What precedes a body: made of its size in bytes, and of the milliseconds that the tool once took to make it.
  typealias Head = (_ size: UInt64, _ duration: UInt32?) -> ByteBuffer

  /// Writes what `head` makes, and the body, and flushes. The result comes when all has been handed
  /// to the socket, or, for small bodies, to the channel. To be called on the channel's event loop.
  func answer(
    _ key: CacheKey, for account: StatisticsAccount, head: @escaping Head, completion: @escaping (Result) -> Void
  ) {
    let removals = server.store.removals
    if let recent = server.recent.find(key, removals: removals) {
      let size = UInt64(recent.body.readableBytes)
      let source = account.takePrefetched(key)
      account.record(
        key,
        hit: .init(layer: source?.layer ?? .local, bytes: size, duration: recent.duration, peer: source?.peer))
      channel.write(head(size, recent.duration), promise: nil)
      channel.writeAndFlush(recent.body, promise: nil)
      return completion(.sent)
    }
    server.cache.find(key, for: account, on: channel.eventLoop) { found in
      switch found {
      case nil: completion(.missing)
      case .body(let body, let fetched):
        var buffer = head(fetched.size, fetched.duration)
        server.recent.insert(key, body: body, duration: fetched.duration, removals: removals)
        buffer.writeImmutableBuffer(body)
        channel.writeAndFlush(buffer, promise: nil)
        completion(.sent)
      case .entry(let entry, let source):
        server.transfers.begin()
        send(entry, head: head(entry.size, entry.record.duration), removals: removals) { result in
          server.transfers.end()
          if result != .sent { server.cache.retract(entry, from: source, for: account) }
          completion(result)
        }
      }
    }
  }

  private func send(
    _ entry: OpenEntry, head: ByteBuffer, removals: Int64, completion: @escaping (Result) -> Void
  ) {
    let isVerified = entry.isVerified
    let isFileFaster = entry.size > RecentBodies.bodyLimit && isVerified
    if entry.size <= BodySender.wholeLimit, !isFileFaster {
      return completion(sendWhole(entry, head: head, removals: removals))
    }
    guard let blob = entry.blob else { return completion(.missing) }
    if isVerified, let file = Self.duplicate(blob) {
      return sendFile(file, size: Int(entry.size), head: head, completion: completion)
    }
    channel.write(head, promise: nil)
    BodySender(entry: entry, blob: blob, channel: channel).start().assumeIsolated().whenSuccess {
      completion($0 ? .sent : .broken)
    }
  }

  private func sendWhole(_ entry: OpenEntry, head: ByteBuffer, removals: Int64) -> Result {
    var buffer = head
    guard buffer.write(bodyOf: entry) else { return .missing }
    let size = Int(entry.size)
    if let body = buffer.getSlice(at: buffer.writerIndex - size, length: size) {
      server.recent.insert(entry.record.key, body: body, duration: entry.record.duration, removals: removals)
    }
    channel.writeAndFlush(buffer, promise: nil)
    return .sent
  }

  private static func duplicate(_ blob: OpenBlob) -> NIOFileHandle? {
    let descriptor = fcntl(blob.descriptor, F_DUPFD_CLOEXEC, 3)
    return descriptor < 0 ? nil : NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
  }

  private func sendFile(
    _ file: NIOFileHandle, size: Int, head: ByteBuffer, completion: @escaping (Result) -> Void
  ) {
    // Head and file are two system calls; corked, the reader is not woken up for the head alone.
    setCork(1)
    channel.write(head, promise: nil)
    let region = FileRegion(fileHandle: file, readerIndex: 0, endIndex: size)
    let done = channel.eventLoop.makePromise(of: Void.self)
    channel.writeAndFlush(region, promise: done)
    done.futureResult.assumeIsolated().whenComplete { result in
      setCork(0)
      try? file.close()
      switch result {
      case .success: completion(.sent)
      case .failure:
        channel.close(promise: nil)
        completion(.broken)
      }
    }
  }

  /// Fails on a Unix socket, which needs no cork.
  private func setCork(_ value: Int) {
    try? channel.syncOptions?.setOption(
      ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_CORK)), value: value)
  }
}
