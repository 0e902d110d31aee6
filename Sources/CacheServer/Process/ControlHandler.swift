import BuildRecords
import CacheStore
import ControlProtocol
import LayeredCache
import NIOCore
import Upstreams

/// One launcher's or command's connection. The lease it opens lasts until the connection ends, however it ends: a
/// launcher that is killed gives its lease up without a word.
final class ControlHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let server: ServerContext
  private let onClose: @Sendable () -> Void
  private var line: [UInt8] = []
  private var lease: LeaseRegistry.Lease?
  private var prefetcher: Prefetcher?
  private var isLauncher = true
  /// Objects of upstreams that had been rejected when the lease began.
  private var rejectedBefore = 0

  /// - Parameter onClose: called when the connection can no longer have a lease.
  init(server: ServerContext, onClose: @escaping @Sendable () -> Void) {
    self.server = server
    self.onClose = onClose
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    for byte in unwrapInboundIn(data).readableBytesView {
      if byte == UInt8(ascii: "\n") {
        guard let message = ControlMessage(line: line) else { return context.close(promise: nil) }
        line = []
        handle(message, context)
        server.reportLauncher()
      } else {
        line.append(byte)
        guard line.count <= ControlMessage.maximumLength else { return context.close(promise: nil) }
      }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    closeLease()
    server.reportLauncher()
    becomeCommand()
  }

  /// The server need not wait for this connection's end.
  private func becomeCommand() {
    guard isLauncher, lease == nil else { return }
    isLauncher = false
    onClose()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func handle(_ message: ControlMessage, _ context: ChannelHandlerContext) {
    switch message.verb {
    case ControlMessage.lease: openLease(message, context)
    case ControlMessage.finish: finish(isQuiet: message["quiet"] == "1", context)
    case ControlMessage.attend:
      becomeCommand()
      guard let id = message["lease"], server.leases.contains(id: id) else { return context.close(promise: nil) }
      server.companions.add(context.channel, to: id)
      answer(.init(ControlMessage.ready), context)
    case ControlMessage.keep:
      server.lifecycle.report(.kept)
      becomeCommand()
      answer(.init(ControlMessage.ready), context)
    case ControlMessage.stop:
      becomeCommand()
      server.lifecycle.report(.stopped(leases: server.leases.count))
      answer(.init(ControlMessage.stopping, ["leases": String(server.leases.count)]), context)
    case ControlMessage.status:
      becomeCommand()
      answer(.init(ControlMessage.status, server.status.fields), context)
    case ControlMessage.record:
      becomeCommand()
      let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      server.recordBuilds(on: context.eventLoop).whenComplete { _ in
        this.value.0.answer(.init(ControlMessage.ready), this.value.1)
      }
    case ControlMessage.peers:
      becomeCommand()
      let server = server
      answerWithAll(context) { await server.peers?.report().map(\.message) ?? [] }
    case ControlMessage.check:
      becomeCommand()
      let surroundings = UpstreamSurroundings(fields: message.fields)
      let server = server
      answerWithAll(context) { await server.upstreams?.check(with: surroundings).map(\.message) ?? [] }
    default: context.close(promise: nil)
    }
  }

  private func openLease(_ message: ControlMessage, _ context: ChannelHandlerContext) {
    // The id becomes a part of a path.
    guard isLauncher, lease == nil, let id = message["id"], !id.isEmpty, id.utf8.allSatisfy(Self.isWordByte),
      let process = message["pid"].flatMap({ Int32($0) })
    else { return context.close(promise: nil) }
    let linger = Duration.milliseconds(message["linger"].flatMap { Int64($0) } ?? 0)
    var excluded: Set<CacheLayerName> = message["peers"] == "0" ? [.peers] : []
    if message["upstreams"] == "0" { excluded.formUnion([.regional, .s3]) }
    let plan = message["plan"].flatMap { CacheKey(plan: $0) }
    let account = StatisticsAccount(excluding: excluded, keepsJournal: plan != nil)
    rejectedBefore = server.upstreams?.rejected ?? 0
    let record = message["command"].map {
      BuildRecord(
        process: process, begin: CacheStore.systemTime(), command: $0, directory: message["directory"] ?? "",
        scope: server.store.scope)
    }
    let lease = LeaseRegistry.Lease(
      id: id, process: process, linger: linger, account: account,
      tools: Set(message["tools"]?.split(separator: ",").map(String.init) ?? []), plan: plan, record: record)
    self.lease = lease
    server.leases.open(lease)
    server.compilers.begin(isCompiler: false)
    server.lifecycle.report(.leaseOpened)
    server.peers?.buildBegins()
    server.upstreams?.buildBegins(
      with: UpstreamSurroundings(fields: message.fields), isAlone: server.leases.count <= 1)
    answer(.init(ControlMessage.ready), context)
    if let plan { prefetch(plan, for: account, on: context.eventLoop) }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    Character(Unicode.Scalar(byte)).isHexDigit || byte == UInt8(ascii: "-")
  }

  private func prefetch(_ plan: CacheKey, for account: StatisticsAccount, on loop: any EventLoop) {
    let prefetcher = Prefetcher(cache: server.cache, plan: plan, account: account, loop: loop)
    self.prefetcher = prefetcher
    let this = NIOLoopBound(prefetcher, eventLoop: loop)
    loop.execute { this.value.start() }
  }

  /// - Parameter isQuiet: what went wrong is kept for the next build, which may say it.
  private func statistics(isQuiet: Bool) -> LeaseStatistics {
    var statistics = lease?.account.current ?? LeaseStatistics()
    if let upstreams = server.upstreams, lease != nil {
      statistics.rejected = upstreams.rejected - rejectedBefore
      if !isQuiet { statistics.notices = upstreams.takeNotices() }
    }
    if let notice = lease?.account.storeNotice { statistics.notices.append(notice) }
    return statistics
  }

  /// What the build's companions still store, and what its compilers have left to be stored, is its own.
  private func finish(isQuiet: Bool, _ context: ChannelHandlerContext) {
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let (compilers, loop) = (server.compilers, context.eventLoop)
    server.companions.dismiss(lease: lease?.id, on: loop).and(compilers.settled(on: loop)).whenComplete { _ in
      let (handler, context) = this.value
      handler.answer(.init(ControlMessage.statistics, handler.statistics(isQuiet: isQuiet).fields), context)
      handler.closeLease()
    }
  }

  private func closeLease() {
    guard let lease else { return }
    self.lease = nil
    server.companions.dismiss(lease: lease.id)
    prefetcher?.stop()
    prefetcher = nil
    server.storePlan(of: lease)
    server.removeFiles(of: lease)
    server.keepRecord(of: lease)
    server.leases.close(id: lease.id)
    server.endCompilerUse(isCompiler: false)
    server.lifecycle.report(.leaseClosed(linger: lease.linger, remaining: server.leases.count))
  }

  /// Answers with what takes a while to find out, and an `end`.
  private func answerWithAll(
    _ context: ChannelHandlerContext, _ messages: @escaping @Sendable () async -> [ControlMessage]
  ) {
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    context.eventLoop.makeFutureWithTask(messages).whenSuccess { messages in
      let (handler, context) = this.value
      for message in messages + [ControlMessage(ControlMessage.end)] { handler.answer(message, context) }
    }
  }

  private func answer(_ message: ControlMessage, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: message.encoded)), promise: nil)
  }
}
