import CacheStore
import ChannelSupport
import Cryptography
import FrontEnds
import LayeredCache
import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One connection to the HTTP front end. Requests are parsed by swift-nio; answers are written as bytes, since their
/// heads are a handful of constants.
final class HTTPHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = ByteBuffer

  private enum State {
    case idle
    /// A request whose body is of no interest; the answer is sent at its end.
    case answering(HTTPAnswer)
    case storing(EntryWriter)
    /// A body is on its way out. Parts of the next requests wait.
    case sending
  }

  private static let quickAcknowledgement = ChannelOptions.Types.SocketOption(
    level: .tcp, name: .init(rawValue: TCP_QUICKACK))

  private let server: ServerContext
  private let guardian: LoopbackGuard
  private let gate: ReadGate
  private var state = State.idle
  private var account: StatisticsAccount?
  private var isKeptAlive = true
  /// What had been read already when a body began to be sent.
  private var waiting: [HTTPServerRequestPart] = []
  private var clock = CompileClock()

  /// - Parameter gate: a handler of the same pipeline.
  init(server: ServerContext, guardian: LoopbackGuard, gate: ReadGate) {
    self.server = server
    self.guardian = guardian
    self.gate = gate
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    if case .sending = state { waiting.append(part) } else { handle(part, context) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if case .storing = state { server.transfers.end() }
    state = .idle
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func handle(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    switch part {
    case .head(let head):
      // ccache sends a put's head and body in two segments and waits for the first one's ACK, which Linux delays by
      // 40 ms unless told otherwise. The option has to be set again for each request.
      if head.method == .PUT {
        try? context.channel.syncOptions?.setOption(Self.quickAcknowledgement, value: 1)
      }
      isKeptAlive = head.isKeepAlive
      begin(head, context)
    case .body(var bytes):
      if case .storing(let writer) = state { bytes.withUnsafeReadableBytes { writer.write($0) } }
      bytes.clear()
    case .end: end(context)
    }
  }

  private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    var inspection = guardian.inspect()
    for (name, value) in head.headers { inspection.see(name: name, value: value) }
    guard case .admitted(let lease) = inspection.verdict else {
      state = .answering(.refused)
      return
    }
    let account = server.leases.account(lease: lease)
    self.account = account
    guard let key = CCacheProtocol.key(path: head.uri) else {
      state = .answering(head.method == .GET || head.method == .HEAD ? .notFound : .notAllowed)
      return
    }
    switch head.method {
    case .GET: get(key, account, context)
    case .HEAD: state = .answering(server.cache.contains(key) ? .found : .notFound)
    case .PUT:
      if head.headers["expect"].contains(where: { $0.lowercased() == "100-continue" }) {
        write(HTTPAnswer.goOn, context)
      }
      server.transfers.begin()
      state = .storing(server.cache.makeWriter(key: key, digest: OpenSSLDigest()))
    case .DELETE: state = .answering(server.cache.remove(key) ? .found : .notFound)
    default: state = .answering(.notAllowed)
    }
  }

  private func get(_ key: CacheKey, _ account: StatisticsAccount, _ context: ChannelHandlerContext) {
    state = .sending
    gate.isBusy = true
    let isKeptAlive = isKeptAlive
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    EntrySender(server: server, channel: context.channel).answer(key, for: account) { size in
      HTTPAnswer.bodyHead(size: size, isKeptAlive: isKeptAlive, allocator: context.channel.allocator)
    }.whenSuccess { result in
      let (handler, context) = this.value
      handler.gate.isBusy = false
      handler.state = .answering(result == .missing ? .notFound : .alreadySent)
      if result == .missing { handler.clock.missed() }
      handler.resume(context)
    }
  }

  /// Goes on with what arrived while a body was sent.
  private func resume(_ context: ChannelHandlerContext) {
    while !waiting.isEmpty {
      if case .sending = state { return }
      handle(waiting.removeFirst(), context)
    }
  }

  private func end(_ context: ChannelHandlerContext) {
    switch state {
    case .idle, .sending: break
    case .answering(let answer):
      if let bytes = answer.bytes(isKeptAlive: isKeptAlive) { write(bytes, context) }
    case .storing(let writer):
      let outcome = writer.commit(duration: clock.takeDuration(), mode: .replace)
      server.transfers.end()
      server.cache.record(outcome, of: writer.key, for: account)
      server.collectIfNeeded()
      // A tool that is told of a failure stops asking, so it is not told.
      write(HTTPAnswer.stored.bytes(isKeptAlive: isKeptAlive) ?? "", context)
    }
    state = .idle
    if !isKeptAlive { context.close(promise: nil) }
  }

  private func write(_ text: StaticString, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(staticString: text)), promise: nil)
  }
}
