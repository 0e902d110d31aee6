import CSpawn
import CacheStore
import ChannelSupport
import ControlProtocol
import Cryptography
import FrontEnds
import Glibc
import LayeredCache
import NIOCore

/// One connection of ccache over its storage helper protocol.
final class CRSHHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let server: ServerContext
  private let gate: ReadGate
  private var parser = CRSHParser()
  private var input: ByteBuffer?
  private var writer: EntryWriter?
  private var clock = ConnectionClock()
  /// A body is on its way out; requests behind it wait.
  private var isSending = false
  private var isProcessing = false
  private var account = StatisticsAccount()

  /// - Parameter gate: a handler of the same pipeline.
  init(server: ServerContext, gate: ReadGate) {
    self.server = server
    self.gate = gate
  }

  func channelActive(context: ChannelHandlerContext) {
    findAccount(context)
    write(CRSHParser.greeting, context)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if input == nil { input = bytes } else { input?.writeBuffer(&bytes) }
    process(context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    // What waits behind an answer must not begin any more: nothing would end it.
    input = nil
    dropWriter()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  /// With one build on this server, the connection is its; with several, the process at the other end tells.
  private func findAccount(_ context: ChannelHandlerContext) {
    account = server.leases.account(lease: nil)
    guard server.leases.count > 1, let options = context.channel as? any SocketOptionProvider else { return }
    let credentials: EventLoopFuture<fabrik_peer_credentials> = options.unsafeGetSocketOption(
      level: .socket, name: .init(rawValue: SO_PEERCRED))
    let this = NIOLoopBound(self, eventLoop: context.eventLoop)
    credentials.whenSuccess { this.value.account = this.value.server.leases.account(process: $0.pid) }
  }

  private func process(_ context: ChannelHandlerContext) {
    isProcessing = true
    defer { isProcessing = false }
    while !isSending, let (consumed, event) = input?.withUnsafeReadableBytes({ parser.next($0) }) {
      if case .body(let count) = event {
        input?.withUnsafeReadableBytes { writer?.write(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      }
      input?.moveReaderIndex(forwardBy: consumed)
      handle(event, context)
    }
    if input?.readableBytes == 0 { input = nil } else { input?.discardReadBytes() }
  }

  private func handle(_ event: CRSHParser.Event, _ context: ChannelHandlerContext) {
    switch event {
    case .get(let key): get(key, context)
    case .exists(let key):
      write(CRSHResponse.exists(CCacheProtocol.key(key).map(server.store.contains) ?? false), context)
    case .remove(let key):
      let isRemoved = CCacheProtocol.key(key).map(server.store.remove) ?? false
      write(isRemoved ? CRSHResponse.ok : CRSHResponse.nothing, context)
    case .putStart(let key, _, _):
      // ccache always asks to overwrite; see CCacheProtocol for why a put without the flag replaces, too.
      writer = CCacheProtocol.key(key).map { server.store.makeWriter(key: $0, digest: OpenSSLDigest()) }
      if writer != nil { server.transfers.begin() }
    case .body: break
    case .putEnd: endPut(context)
    case .info:
      write(CRSHResponse.info(identity: "fabrik \(fabrikVersion)", diagnostics: []), context)
    case .stop:
      // The server is shared by all of this user's builds; who asks one helper to stop leaves the others theirs.
      write(CRSHResponse.ok, context)
      context.closeBehindWrites()
    case .malformed: context.close(promise: nil)
    }
  }

  private func get(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
    guard let key = CCacheProtocol.key(bytes) else { return write(CRSHResponse.nothing, context) }
    isSending = true
    gate.isBusy = true
    EntrySender(server: server, channel: context.channel).answer(key, for: account) { size, _ in
      context.channel.allocator.buffer(bytes: CRSHResponse.valueHead(size: size))
    } completion: { [self] result in
      isSending = false
      gate.isBusy = false
      if result == .missing {
        clock.missed()
        write(CRSHResponse.nothing, context)
      }
      // An answer that went out at once came back here from within `process`, whose loop goes on by itself.
      if !isProcessing { process(context) }
    }
  }

  private func endPut(_ context: ChannelHandlerContext) {
    guard let writer else { return write(CRSHResponse.nothing, context) }
    let outcome = writer.commit(duration: clock.takeDuration(), mode: .replace)
    dropWriter()
    server.cache.record(outcome, of: writer.key, for: account)
    switch outcome {
    case .stored, .alreadyThere: write(CRSHResponse.ok, context)
    case .mismatch, .notStored: write(CRSHResponse.nothing, context)
    }
  }

  private func dropWriter() {
    if writer != nil { server.transfers.end() }
    writer = nil
  }

  private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
  }
}
