import CacheStore
import ChannelSupport
import Cryptography
import FrontEnds
import Glibc
import LayeredCache
import NIOCore
import NIOHTTP1

/// One connection to the HTTP front end. Requests are parsed by swift-nio and understood by a ``HTTPDialect``; answers
/// are written as bytes, since their heads are a handful of constants.
final class HTTPHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = ByteBuffer

  private enum State {
    case idle
    /// A request whose body is of no interest; the answer is sent at its end. nil: it has been sent.
    case answering(HTTPReply?)
    case storing(EntryWriter, HTTPPutTerms)
    /// A body is being looked for, or is on its way out. Parts of the next requests wait.
    case sending
    /// The last answer has been given, or the connection has ended. What comes behind is of no interest.
    case over
  }

  private static let quickAcknowledgement = ChannelOptions.Types.SocketOption(
    level: .tcp, name: .init(rawValue: TCP_QUICKACK))

  /// Bytes of the small entry beside another; they go into a header.
  private static let noteLimit = 1024

  private let server: ServerContext
  private let guardian: LoopbackGuard
  private let gate: ReadGate
  private var state = State.idle
  private var account: StatisticsAccount?
  private var isKeptAlive = true
  private var isHead = false
  /// What had been read already when a body began to be sent.
  private var waiting: [HTTPServerRequestPart] = []
  private var clock = ConnectionClock()

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
    state = .over
    waiting = []
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func handle(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    if case .over = state { return }
    switch part {
    case .head(let head):
      // ccache sends a put's head and body in two segments and waits for the first one's ACK, which Linux delays by
      // 40 ms unless told otherwise. The option has to be set again for each request.
      if head.method == .PUT {
        try? context.channel.syncOptions?.setOption(Self.quickAcknowledgement, value: 1)
      }
      isKeptAlive = head.isKeepAlive
      isHead = head.method == .HEAD
      begin(head, context)
    case .body(var bytes):
      if case .storing(let writer, _) = state { bytes.withUnsafeReadableBytes { writer.write($0) } }
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
    guard let (dialect, target) = HTTPDialects.find(head.uri) else {
      state = .answering(isHead || head.method == .GET ? .notFound : .notAllowed)
      return
    }
    let account = server.leases.account(lease: lease, tool: dialect.tool)
    self.account = account
    let request = HTTPCacheRequest(method: head.method.rawValue, target: target) { head.headers.first(name: $0) }
    switch dialect.meaning(of: request) {
    case .get(let key, let note): get(key, note: note, dialect, account, context)
    case .getWhole(let key): getWhole(key, dialect, account, context)
    case .exists(let key, let note): exists(key, note: note, dialect, account, context)
    case .put(let key, let terms):
      if head.headers["expect"].contains(where: { $0.lowercased() == "100-continue" }) {
        write(context.channel.allocator.buffer(staticString: HTTPAnswer.goOn), context)
      }
      server.transfers.begin()
      state = .storing(server.store.makeWriter(key: key, digest: OpenSSLDigest()), terms)
    case .remove(let key): state = .answering(server.store.remove(key) ? .ok : .notFound)
    case .reply(let reply): state = .answering(reply)
    }
  }

  // MARK: - Reading

  /// What is read again when an answer has gone out waits until then.
  private func pause() {
    state = .sending
    gate.isBusy = true
  }

  /// Ends a request that nothing was read behind, and goes on with what arrived meanwhile.
  private func finish(_ reply: HTTPReply?, _ context: ChannelHandlerContext) {
    // It may have ended meanwhile.
    guard case .sending = state else { return }
    gate.isBusy = false
    state = .answering(reply)
    while !waiting.isEmpty {
      if case .sending = state { return }
      handle(waiting.removeFirst(), context)
    }
  }

  private func get(
    _ key: CacheKey, note: CacheKey?, _ dialect: any HTTPDialect.Type, _ account: StatisticsAccount,
    _ context: ChannelHandlerContext
  ) {
    pause()
    guard let note else { return send(key, note: nil, dialect, account, context) }
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    server.cache.bring(note, for: account, on: context.eventLoop).whenComplete { _ in
      let (handler, context) = this.value
      handler.send(key, note: handler.note(note), dialect, account, context)
    }
  }

  private func getWhole(
    _ key: CacheKey, _ dialect: any HTTPDialect.Type, _ account: StatisticsAccount, _ context: ChannelHandlerContext
  ) {
    pause()
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    BazelActionCheck.isWhole(key, in: server, for: account, on: context.eventLoop).whenSuccess { isWhole in
      let (handler, context) = this.value
      if isWhole { return handler.send(key, note: nil, dialect, account, context) }
      handler.server.cache.recordMiss(key, for: account)
      handler.server.misses.missed(key)
      handler.finish(.notFound, context)
    }
  }

  private func send(
    _ key: CacheKey, note: [UInt8]?, _ dialect: any HTTPDialect.Type, _ account: StatisticsAccount,
    _ context: ChannelHandlerContext
  ) {
    EntrySender(server: server, channel: context.channel).answer(key, for: account) { [self] size, duration in
      HTTPAnswer.head(
        of: HTTPBodyFacts(size: size, duration: duration, note: note), in: dialect, isKeptAlive: isKeptAlive,
        allocator: context.channel.allocator)
    } completion: { [self] result in
      if result == .missing {
        clock.missed()
        server.misses.missed(key)
      }
      finish(result == .missing ? .notFound : nil, context)
    }
  }

  private func note(_ key: CacheKey) -> [UInt8]? { server.store.lookup(key)?.body(upTo: Self.noteLimit) }

  /// An entry that is somewhere else is fetched: who asks whether there is one wants it next.
  private func exists(
    _ key: CacheKey, note: CacheKey?, _ dialect: any HTTPDialect.Type, _ account: StatisticsAccount,
    _ context: ChannelHandlerContext
  ) {
    pause()
    let cache = server.cache
    let keys = [key] + (note.map { [$0] } ?? [])
    let found = keys.map { cache.bring($0, for: account, on: context.eventLoop) }
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    EventLoopFuture.whenAllComplete(found, on: context.eventLoop).whenComplete { _ in
      let (handler, context) = this.value
      guard let entry = handler.server.store.lookup(key) else { return handler.finish(.notFound, context) }
      let body = HTTPBodyFacts(size: entry.size, duration: entry.record.duration, note: note.flatMap(handler.note))
      handler.write(
        HTTPAnswer.head(of: body, in: dialect, isKeptAlive: handler.isKeptAlive, allocator: context.channel.allocator),
        context)
      handler.finish(nil, context)
    }
  }

  // MARK: - Ends

  private func end(_ context: ChannelHandlerContext) {
    switch state {
    case .idle, .sending, .over: break
    case .answering(let reply): if let reply { answer(reply, context) }
    case .storing(let writer, let terms): answer(store(writer, terms), context)
    }
    state = isKeptAlive ? .idle : .over
    if !isKeptAlive { context.closeBehindWrites() }
  }

  private func store(_ writer: EntryWriter, _ terms: HTTPPutTerms) -> HTTPReply {
    let outcome = writer.commit(
      duration: duration(of: writer.key, terms.timing), expecting: terms.expected, mode: terms.mode)
    server.transfers.end()
    server.cache.record(outcome, of: writer.key, for: account)
    if case .stored = outcome, let note = terms.note {
      server.cache.put(note.body, under: note.key, digest: OpenSSLDigest(), for: account)
    }
    switch outcome {
    case .mismatch: return .mismatch
    case .alreadyThere: return terms.existing
    // A tool that is told of a failure stops asking, so it is not told.
    case .stored, .notStored: return .ok
    }
  }

  private func duration(of key: CacheKey, _ timing: HTTPPutTerms.Timing) -> UInt32? {
    switch timing {
    case .none: nil
    case .connection: clock.takeDuration()
    case .key: server.misses.takeDuration(of: key)
    case .stated(let milliseconds): milliseconds
    }
  }

  private func answer(_ reply: HTTPReply, _ context: ChannelHandlerContext) {
    let bytes = HTTPAnswer.bytes(
      of: reply, isKeptAlive: isKeptAlive, isBodyless: isHead, allocator: context.channel.allocator)
    write(bytes, context)
  }

  private func write(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
  }
}
