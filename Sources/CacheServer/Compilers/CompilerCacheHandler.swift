import CacheStore
import ChannelSupport
import ControlProtocol
import FrontEnds
import LayeredCache
import NIOCore
import SystemPackage
import SystemSupport

/// One compiler with the plugin in it.
///
/// A result is answered with all that belongs to it, or not at all. The compiler is given the blobs' own files, which
/// are checked before and kept from being evicted until the connection ends. What it puts is taken in after it has
/// gone, too: it does not wait for it.
///
/// Compilers load modules by the keys of the actions that made them: within one build, a key counts once.
final class CompilerCacheHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private typealias Reply = CompilerCacheLink.Reply

  private enum Question {
    case action(CacheKey)
    case object(CompilerLookup.Object)
  }

  private struct Put {
    let key: CacheKey
    let body: [UInt8]
  }

  private let server: ServerContext
  private let gate: ReadGate
  private var input = LinkInput<CompilerCacheLink.Request>()
  private var account = StatisticsAccount()
  /// The plugin's working directory; nil until it has introduced itself.
  private var directory: FilePath?
  private let pinned: PinnedFiles
  private var questions = CircularBuffer<Question>()
  private var lookup: CompilerLookup?
  private var isAnswering = false
  private var signs: RepeatedTask?
  private var puts = CircularBuffer<Put>()
  private var put: CompilerPut?

  /// A compiler waits for one answer; more is not read until something has been done.
  private static let mostWaiting = 64
  /// How often a compiler that waits is shown that the server lives.
  private static let signInterval = TimeAmount.seconds(1)
  /// Bytes of a hit at the most.
  private static let mostBytes = CompilerAction.totalLimit + UInt64(CompilerAction.sizeLimit)

  /// - Parameter gate: a handler of the same pipeline.
  init(server: ServerContext, gate: ReadGate) {
    self.server = server
    self.gate = gate
    pinned = PinnedFiles(all: server.pinnedFiles)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    input.append(unwrapInboundIn(data))
    while let event = input.next() {
      guard case .message(let request) = event, take(request, context) else { return context.close(promise: nil) }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    questions = []
    lookup?.stop()
    lookup = nil
    signs?.cancel()
    pinned.end()
    if directory != nil { server.endCompilerUse(isCompiler: true) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  /// False when the request is none at this time.
  private func take(_ request: CompilerCacheLink.Request, _ context: ChannelHandlerContext) -> Bool {
    guard let directory else {
      guard case .hello(let lease, let directory) = request else { return false }
      self.directory = FilePath(bytes: directory)
      account = server.leases.account(lease: lease.isEmpty ? nil : lease)
      server.compilers.begin(isCompiler: true)
      reply(.ready, context)
      return true
    }
    switch request {
    case .hello: return false
    case .get(let action):
      guard let key = CompilerCacheLink.key(ofAction: action) else { return false }
      ask(.action(key), context)
    case .object(let digest):
      guard let object = CompilerLookup.Object(digest) else { return false }
      ask(.object(object), context)
    case .put(let action, let body):
      guard let key = CompilerCacheLink.key(ofAction: action) else { return false }
      take(Put(key: key, body: body), directory, context)
    case .used(let action, let bytes):
      guard let key = CompilerCacheLink.key(ofAction: action) else { return false }
      countUse(of: key, bytes)
    }
    return true
  }

  private func holdBack() {
    gate.isBusy = questions.count + puts.count >= Self.mostWaiting
  }

  private func reply(_ reply: Reply, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: reply.encoded)), promise: nil)
  }

  // MARK: - Questions

  private func ask(_ question: Question, _ context: ChannelHandlerContext) {
    questions.append(question)
    answerAll(context)
  }

  /// Answers one after the other, until one takes a while.
  private func answerAll(_ context: ChannelHandlerContext) {
    guard !isAnswering else { return }
    isAnswering = true
    while lookup == nil, let question = questions.popFirst() { answer(question, context) }
    isAnswering = false
    holdBack()
  }

  private func answer(_ question: Question, _ context: ChannelHandlerContext) {
    let lookup: CompilerLookup
    switch question {
    case .action(let key):
      lookup = CompilerLookup(action: key, in: server, for: account, on: context.eventLoop) {
        [unowned self] in
        finish($0, of: key, context)
      }
    case .object(let object):
      lookup = CompilerLookup(object: object, in: server, for: account, on: context.eventLoop) {
        [unowned self] in
        finish($0, of: object, context)
      }
    }
    self.lookup = lookup
    lookup.start()
    if !lookup.isOver { showSigns(context) }
  }

  /// Shows the compiler that it will be answered.
  private func showSigns(_ context: ChannelHandlerContext) {
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    signs = context.eventLoop.scheduleRepeatedTask(initialDelay: Self.signInterval, delay: Self.signInterval) { _ in
      this.value.0.reply(.working, this.value.1)
    }
    reply(.working, context)
  }

  private func finish(
    _ outcome: CompilerLookup.Outcome, of key: CacheKey, _ context: ChannelHandlerContext
  ) {
    switch outcome {
    case .found(let found):
      if account.claim(key) { account.record(key, hit: found.hit) }
      account.journal(found.objects.lazy.map(\.key))
      pin(found)
      answered(.hit(body: found.body, paths: found.files.map(\.path)), context)
    case .missing(let steps):
      server.misses.missed(key)
      server.compilers.misses.missed(key, steps)
      answered(.miss, context)
    }
  }

  private func finish(
    _ outcome: CompilerLookup.Outcome, of object: CompilerLookup.Object, _ context: ChannelHandlerContext
  ) {
    guard case .found(let found) = outcome, let file = found.files.first else { return answered(.miss, context) }
    pin(found)
    answered(.object(path: file.path), context)
  }

  private func pin(_ found: CompilerLookup.Found) {
    for (object, file) in zip(found.objects, found.files) { pinned.pin(file, object.digest) }
  }

  private func answered(_ reply: Reply, _ context: ChannelHandlerContext) {
    signs?.cancel()
    signs = nil
    lookup = nil
    self.reply(reply, context)
    answerAll(context)
  }

  /// The compiler had it itself. What the store does not have was not meant for it.
  private func countUse(of key: CacheKey, _ bytes: UInt64) {
    guard account.claim(key), let entry = server.store.lookup(key),
      let action = entry.body(upTo: CompilerAction.sizeLimit).flatMap(CompilerAction.init)
    else { return }
    let hit = StatisticsAccount.Hit(
      layer: .local, bytes: min(bytes, Self.mostBytes), duration: entry.record.duration)
    account.record(key, hit: hit)
    let objects = action.separate.compactMap { CompilerCacheLink.key(ofObject: $0.digest) }
    account.journal(objects)
    // To have been looked for is to have been used.
    for object in objects { _ = server.store.contains(object) }
  }

  // MARK: - Puts

  private func take(_ put: Put, _ directory: FilePath, _ context: ChannelHandlerContext) {
    server.transfers.begin()
    server.compilers.puts.begin()
    puts.append(put)
    storeNext(directory, NIOLoopBound(self, eventLoop: context.eventLoop))
    holdBack()
  }

  /// One after the other. The connection may have ended.
  private func storeNext(_ directory: FilePath, _ this: NIOLoopBound<CompilerCacheHandler>) {
    while put == nil, let next = puts.popFirst() {
      let put = CompilerPut(
        next.key, next.body, in: directory, server: server, account: account, on: this.eventLoop
      ) {
        this.value.stored(directory, this)
      }
      guard let put else {
        endPut()
        continue
      }
      // If it was asked for it was in vain, and now it counts. Of files that are compiled together only some are asked
      // for.
      let steps = server.compilers.misses.take(next.key)
      if account.claim(next.key) {
        account.recordMiss(next.key, steps: steps ?? server.cache.takeMiss(of: next.key, for: account))
      }
      self.put = put
      put.startLater()
    }
  }

  private func stored(_ directory: FilePath, _ this: NIOLoopBound<CompilerCacheHandler>) {
    put = nil
    endPut()
    storeNext(directory, this)
    holdBack()
  }

  private func endPut() {
    server.compilers.puts.end()
    server.transfers.end()
  }
}
