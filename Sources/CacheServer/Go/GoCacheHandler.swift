import CacheStore
import ChannelSupport
import Cryptography
import FrontEnds
import LayeredCache
import NIOCore
import SystemSupport

/// One `fabrik cacheprog`, which stands for one `go` command.
///
/// Go is given the blobs' own files, and reads them whenever it likes: they are checked before and kept from being
/// evicted until the connection ends. Go overwrites what it has put under an action (the log of a test, say), so a put
/// replaces. Requests do not wait for each other.
final class GoCacheHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private typealias Reply = GoCacheLink.Reply

  private let server: ServerContext
  private let gate: ReadGate
  private var input = LinkInput<GoCacheLink.Request>()
  private var output: ByteBuffer?
  private var account = StatisticsAccount()
  private var hasIntroducedItself = false
  private let pinned: PinnedFiles
  /// More may be read in this turn of the event loop.
  private var isReading = false
  /// Requests that are not answered yet.
  private var underWay = 0

  /// Go asks for as much as it has processors; more is not read until something is answered.
  private static let mostUnderWay = 4096

  /// - Parameter gate: a handler of the same pipeline.
  init(server: ServerContext, gate: ReadGate) {
    self.server = server
    self.gate = gate
    pinned = PinnedFiles(all: server.pinnedFiles)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    isReading = true
    input.append(unwrapInboundIn(data))
    while let event = input.next() {
      guard case .message(let request) = event, take(request, context) else { return context.close(promise: nil) }
    }
  }

  /// Everything that was answered at once goes out at once.
  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    flush(context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    pinned.end()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  /// False when the request is none at this time.
  private func take(_ request: GoCacheLink.Request, _ context: ChannelHandlerContext) -> Bool {
    guard hasIntroducedItself else {
      guard case .hello(let lease) = request else { return false }
      hasIntroducedItself = true
      account = server.leases.account(lease: lease.isEmpty ? nil : lease)
      reply(.ready(directory: server.store.bodyDirectory.bytes), context)
      return true
    }
    switch request {
    case .hello: return false
    case .get(let id, let action): get(id, action, context)
    case .put(let id, let action, let output, let size, let file): put(id, action, output, size, file, context)
    case .ping: reply(.pong, context)
    }
    return true
  }

  // MARK: - Lookups

  private func get(_ id: Int64, _ action: [UInt8], _ context: ChannelHandlerContext) {
    guard let key = GoCacheLink.key(action) else { return reply(.miss(id: id), context) }
    begin()
    server.cache.find(key, asFile: true, for: account, on: context.eventLoop) { [self] found in
      if case .entry(let entry, let source) = found {
        handOut(entry, from: source, id, context)
      } else {
        miss(id, key, context)
      }
      flush(context)
      end()
    }
  }

  private func handOut(
    _ entry: OpenEntry, from source: FetchedEntry?, _ id: Int64, _ context: ChannelHandlerContext
  ) {
    guard let file = entry.file() else {
      server.cache.retract(entry, from: source, for: account)
      return miss(id, entry.record.key, context)
    }
    let record = entry.record
    pinned.pin(file, record.digest)
    reply(
      .hit(id: id, output: record.digest.bytes, size: record.size, created: record.created, path: file.path), context)
  }

  /// Go begins to compile.
  private func miss(_ id: Int64, _ key: CacheKey, _ context: ChannelHandlerContext) {
    server.misses.missed(key)
    reply(.miss(id: id), context)
  }

  // MARK: - Puts

  private func put(
    _ id: Int64, _ action: [UInt8], _ output: [UInt8], _ size: UInt64, _ file: String, _ context: ChannelHandlerContext
  ) {
    let writer = GoCacheLink.key(action).flatMap { key -> EntryWriter? in
      size == 0
        ? server.store.makeWriter(key: key, digest: OpenSSLDigest(), isInlineAllowed: false)
        : server.store.makeWriter(key: key, digest: OpenSSLDigest(), adopting: file)
    }
    guard let writer else { return reply(.refused(id: id), context) }
    let duration = server.misses.takeDuration(of: writer.key)
    begin()
    server.transfers.begin()
    let put = Put(id: id, writer: writer, output: Digest(bytes: output), duration: duration)
    takeIn(put, NIOLoopBound((self, context), eventLoop: context.eventLoop))
  }

  private struct Put {
    let id: Int64
    let writer: EntryWriter
    let output: Digest
    /// Milliseconds.
    let duration: UInt32?
  }

  /// Reads a body piece by piece: other connections have their turn in between.
  private func takeIn(_ put: Put, _ this: NIOLoopBound<(GoCacheHandler, ChannelHandlerContext)>) {
    let context = this.value.1
    guard put.writer.readPiece() else { return finish(put, context) }
    let bound = NIOLoopBound(put, eventLoop: context.eventLoop)
    context.eventLoop.execute { this.value.0.takeIn(bound.value, this) }
  }

  private func finish(_ put: Put, _ context: ChannelHandlerContext) {
    let outcome = put.writer.commit(duration: put.duration, expecting: put.output, mode: .replace)
    server.cache.record(outcome, of: put.writer.key, for: account)
    if let file = put.writer.file {
      pinned.pin(file, put.output)
      reply(.stored(id: put.id, path: file.path), context)
    } else {
      reply(.refused(id: put.id), context)
    }
    flush(context)
    server.transfers.end()
    end()
  }

  // MARK: - The connection

  private func begin() {
    underWay += 1
    if underWay == Self.mostUnderWay { gate.isBusy = true }
  }

  private func end() {
    if underWay == Self.mostUnderWay { gate.isBusy = false }
    underWay -= 1
  }

  private func reply(_ reply: Reply, _ context: ChannelHandlerContext) {
    if output == nil { output = context.channel.allocator.buffer(capacity: 512) }
    output?.writeBytes(reply.encoded)
  }

  private func flush(_ context: ChannelHandlerContext) {
    guard !isReading, let output else { return }
    self.output = nil
    context.writeAndFlush(wrapOutboundOut(output), promise: nil)
  }
}
