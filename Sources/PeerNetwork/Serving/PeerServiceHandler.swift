import CacheStore
import ChannelSupport
import ControlProtocol
import Cryptography
import NIOCore
import PeerRecords
import SystemSupport

/// Answers one connection of a peer. Requests are answered in their order; those that come meanwhile wait, up to a bound.
final class PeerServiceHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case handshaking
    /// The channel stands; the peer has to say who it is.
    case unknown(exporter: [UInt8])
    case known(Introduction)
    case closed
  }

  /// Whoever has opened a channel introduces itself at once.
  private static let introductionPatience = TimeAmount.seconds(5)
  /// A peer that keeps a connection asks for changes of the summary all the time.
  private static let idlePatience = TimeAmount.minutes(2)
  /// A peer takes a piece of an answer within this time, at a rate that is still worth it.
  private static let sendPatience = TimeAmount.seconds(20)
  /// How long a question for changes waits for one; then the answer is that there are none.
  static let changePatience = TimeAmount.seconds(25)
  /// How long a peer that has not been let in waits for its answer; then it is no.
  private static let consentPatience = TimeAmount.seconds(6)
  /// How often it is looked whether the user has let a waiting peer in. One system call.
  private static let consentInterval = TimeAmount.milliseconds(200)
  /// Changes within this time are told together.
  static let changePause = TimeAmount.milliseconds(50)
  /// Bytes of requests that may wait behind the one that is being answered.
  private static let backlogLimit = 1 << 16
  /// Up to here a body is read and sent as a whole.
  private static let wholeLimit: UInt64 = 1 << 17

  private let service: PeerService
  private let address: String
  private var state = State.handshaking
  private var signature: RequestSignature?
  private var parser = MessageParser(largestBody: 0)
  private var isBusy = false
  private var isProcessing = false
  private var patience: Scheduled<Void>?
  private var change: UInt64?

  init(service: PeerService, address: String) {
    self.service = service
    self.address = address
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? SecureChannelEstablished {
      state = .unknown(exporter: event.exporter)
      expect(within: Self.introductionPatience, context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    guard parser.waiting + bytes.readableBytes <= Self.backlogLimit else { return close(context) }
    parser.feed(&bytes)
    process(context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    state = .closed
    patience?.cancel()
    if let change { service.summary.cancel(change) }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    close(context)
  }

  private func close(_ context: ChannelHandlerContext) {
    state = .closed
    context.close(promise: nil)
  }

  private func expect(within time: TimeAmount, _ context: ChannelHandlerContext) {
    patience?.cancel()
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    patience = context.eventLoop.scheduleTask(in: time) {
      let (handler, context) = this.value
      handler.close(context)
    }
  }

  private func process(_ context: ChannelHandlerContext) {
    guard !isProcessing else { return }
    isProcessing = true
    defer { isProcessing = false }
    while !isBusy, let event = parser.next() {
      switch event {
      case .head(let head): handle(head, context)
      case .body, .end: break
      case .malformed: return answerAndClose(.malformed, context)
      }
      if case .closed = state { return }
    }
  }

  private func handle(_ head: MessageHead, _ context: ChannelHandlerContext) {
    guard let target = head.target.flatMap(PeerTarget.init) else { return answerAndClose(.malformed, context) }
    switch (state, target) {
    case (.unknown(let exporter), .status): introduce(head, exporter: exporter, context)
    case (.unknown, _), (.handshaking, _): answerAndClose(.unauthenticated, context)
    case (.closed, _): break
    case (.known(let peer), _):
      guard isAuthentic(head, context) else { return }
      expect(within: Self.idlePatience, context)
      serve(target, to: peer, context)
    }
  }

  /// Checks the signature. A wrong one ends the connection; a wrong clock is told ours.
  private func isAuthentic(_ head: MessageHead, _ context: ChannelHandlerContext) -> Bool {
    guard var checked = signature else {
      answerAndClose(.unauthenticated, context)
      return false
    }
    defer { signature = checked }
    do throws(RequestSignature.Refusal) {
      try checked.verify(head, now: service.member.now())
      return true
    } catch {
      if error == .skewed {
        write(.answer(.unauthenticated, timeField), context)
      } else {
        answerAndClose(.unauthenticated, context)
      }
      return false
    }
  }

  private var timeField: [String: String] { [RequestSignature.timeField: String(service.member.now())] }

  private func introduce(_ head: MessageHead, exporter: [UInt8], _ context: ChannelHandlerContext) {
    let member = service.member
    guard let peer = Introduction(head, role: .client, exporter: exporter), peer.instance != member.instance else {
      return answerAndClose(.unauthenticated, context)
    }
    if signature == nil {
      signature = RequestSignature(
        key: member.keys.requestKey, client: peer.publicKey, server: [], exporter: exporter)
    }
    guard isAuthentic(head, context) else { return }
    guard
      let fields = try? Introduction.fields(
        of: member.identity, instance: member.instance, name: member.name, port: 0, role: .server, exporter: exporter)
    else { return close(context) }
    state = .known(peer)
    signature = RequestSignature(
      key: member.keys.requestKey, client: peer.publicKey, server: member.identity.publicKey, exporter: exporter)
    service.book.met(peer, address: nil)
    write(.answer(.ok, fields.merging(statusFields(for: peer)) { $1 }), context)
    expect(within: Self.idlePatience, context)
    service.onIntroduction(peer, context.remoteAddress)
  }

  private func statusFields(for peer: Introduction) -> [String: String] {
    timeField.merging(["fabrik-version": fabrikVersion, "fabrik-consent": verdict(on: peer).rawValue]) { $1 }
  }

  private func verdict(on peer: Introduction, isUse: Bool = false) -> ConsentGate.Verdict {
    service.consent.verdict(on: peer.identifier, name: peer.name, address: address, isUse: isUse)
  }

  private func serve(_ target: PeerTarget, to peer: Introduction, _ context: ChannelHandlerContext) {
    var isUse = false
    if case .entry = target { isUse = true }
    let verdict = verdict(on: peer, isUse: isUse)
    if target == .status { return write(.answer(.ok, statusFields(for: peer)), context) }
    guard verdict == .allowed else {
      if case .summary = target {
        return awaitConsent(of: peer, until: context.eventLoop.now + Self.consentPatience, context)
      }
      return write(.answer(.refused, ["fabrik-consent": verdict.rawValue]), context)
    }
    switch target {
    case .status: break
    case .summary(let since): sendSummary(since: since, to: peer, context)
    case .entry(let key): sendEntry(key, to: peer, context)
    }
  }

  // MARK: - Entries

  private func sendEntry(_ key: CacheKey, to peer: Introduction, _ context: ChannelHandlerContext) {
    guard service.limits.beginTransfer(for: peer.identifier) else {
      return write(.answer(.busy), context)
    }
    service.transfers.begin()
    guard let entry = service.store.lookupShared(key) else {
      return endTransfer(for: peer, answering: .missing, context)
    }
    var fields = ["fabrik-digest": Hex.encode(entry.record.digest.bytes)]
    if let duration = entry.record.duration { fields["fabrik-duration-ms"] = String(duration) }
    let head = MessageHead.answer(.ok, length: entry.size, fields)
    isBusy = true
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let sent: EventLoopFuture<Bool>
    if entry.size <= Self.wholeLimit || entry.blob == nil {
      sent = sendWhole(entry, head: head, context)
    } else {
      sent = sendPieces(entry, head: head, context)
    }
    let size = entry.size
    sent.whenSuccess { isSent in
      let (handler, context) = this.value
      handler.service.transfers.end()
      handler.service.limits.endTransfer(for: peer.identifier)
      if isSent { handler.service.book.served(peer.identifier, bytes: size) }
      handler.proceed(context)
    }
  }

  private func endTransfer(for peer: Introduction, answering status: PeerStatus, _ context: ChannelHandlerContext) {
    service.transfers.end()
    service.limits.endTransfer(for: peer.identifier)
    write(.answer(status), context)
  }

  private func sendWhole(
    _ entry: OpenEntry, head: MessageHead, _ context: ChannelHandlerContext
  ) -> EventLoopFuture<Bool> {
    let size = Int(entry.size)
    var buffer = context.channel.allocator.buffer(capacity: 512 + size)
    head.write(into: &buffer)
    var isSound = true
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
      isSound = entry.readAll(into: UnsafeMutableRawBufferPointer(rebasing: space[..<size]))
      return isSound ? size : 0
    }
    guard isSound else {
      write(.answer(.missing), context)
      return context.eventLoop.makeSucceededFuture(false)
    }
    let written = context.eventLoop.makePromise(of: Void.self)
    let delay = service.limits.delay(of: size)
    expect(within: Self.sendPatience + delay, context)
    if delay == .zero {
      context.writeAndFlush(wrapOutboundOut(buffer), promise: written)
      return written.futureResult.map { true }.recover { _ in false }
    }
    let this = NIOLoopBound((self, context, buffer), eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: delay) {
      let (handler, context, buffer) = this.value
      context.writeAndFlush(handler.wrapOutboundOut(buffer), promise: written)
    }
    return written.futureResult.map { true }.recover { _ in false }
  }

  private func sendPieces(
    _ entry: OpenEntry, head: MessageHead, _ context: ChannelHandlerContext
  ) -> EventLoopFuture<Bool> {
    guard let blob = entry.blob else { return context.eventLoop.makeSucceededFuture(false) }
    write(head, context)
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    return BodySender(entry: entry, blob: blob, channel: context.channel) { count in
      let (handler, context) = this.value
      let delay = handler.service.limits.delay(of: count)
      handler.expect(within: Self.sendPatience + delay, context)
      return delay
    }.start()
  }

  // MARK: - The summary

  /// Answers a peer that is not let in when it is, or after a while: so it learns at once what the user says.
  private func awaitConsent(of peer: Introduction, until end: NIODeadline, _ context: ChannelHandlerContext) {
    isBusy = true
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: Self.consentInterval) {
      let (handler, context) = this.value
      if case .closed = handler.state { return }
      let verdict = handler.verdict(on: peer)
      if verdict == .allowed { return handler.sendSummary(since: nil, to: peer, context) }
      guard context.eventLoop.now >= end else { return handler.awaitConsent(of: peer, until: end, context) }
      handler.write(.answer(.refused, ["fabrik-consent": verdict.rawValue]), context)
      handler.proceed(context)
    }
  }

  private func sendSummary(since: SummaryGeneration?, to peer: Introduction, _ context: ChannelHandlerContext) {
    isBusy = true
    let (id, changed) = service.summary.change(since: since, on: context.eventLoop)
    change = id
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let timeout = context.eventLoop.scheduleTask(in: Self.changePatience) { this.value.0.service.summary.cancel(id) }
    changed.whenComplete { _ in
      timeout.cancel()
      let (handler, context) = this.value
      handler.change = nil
      // The first question is answered at once; later ones are about what is being built now, and comes in bursts.
      context.eventLoop.scheduleTask(in: since == nil ? .zero : Self.changePause) {
        let (handler, context) = this.value
        handler.writeSummary(since: since, to: peer, context)
      }
    }
  }

  private func writeSummary(since: SummaryGeneration?, to peer: Introduction, _ context: ChannelHandlerContext) {
    // The user may have said no meanwhile.
    let verdict = verdict(on: peer)
    guard verdict == .allowed else {
      write(.answer(.refused, ["fabrik-consent": verdict.rawValue]), context)
      return proceed(context)
    }
    guard service.limits.beginTransfer(for: peer.identifier) else {
      write(.answer(.busy), context)
      return proceed(context)
    }
    let answer = service.summary.answer(since: since)
    let head = MessageHead.answer(
      .ok, length: UInt64(answer.fingerprints.count * 4),
      ["fabrik-generation": "\(answer.generation)", "fabrik-summary": answer.isFull ? "full" : "changes"])
    var buffer = context.channel.allocator.buffer(capacity: 512 + answer.fingerprints.count * 4)
    head.write(into: &buffer)
    for fingerprint in answer.fingerprints { buffer.writeInteger(fingerprint, endianness: .little) }
    expect(within: Self.sendPatience, context)
    // The next request waits until this answer is gone: whoever reads nothing costs one summary, not many.
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in
      let (handler, context) = this.value
      handler.service.limits.endTransfer(for: peer.identifier)
      handler.proceed(context)
    }
  }

  // MARK: - Answers

  /// Goes on with the requests that waited.
  private func proceed(_ context: ChannelHandlerContext) {
    isBusy = false
    if case .closed = state { return }
    expect(within: Self.idlePatience, context)
    process(context)
  }

  private func write(_ head: MessageHead, _ context: ChannelHandlerContext) {
    var buffer = context.channel.allocator.buffer(capacity: 512)
    head.write(into: &buffer)
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  private func answerAndClose(_ status: PeerStatus, _ context: ChannelHandlerContext) {
    write(.answer(status), context)
    close(context)
  }
}
