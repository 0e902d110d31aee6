import CacheStore
import ControlProtocol
import NIOCore
import PeerRecords

/// Answers one connection of a peer. Requests are answered in their order; those that come meanwhile wait, up to a bound.
final class PeerServiceHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  /// Whoever has opened a channel introduces itself at once.
  private static let introductionPatience = TimeAmount.seconds(5)
  /// A peer that keeps a connection asks for changes of the summary all the time.
  private static let idlePatience = TimeAmount.minutes(2)
  /// Bytes of requests that may wait behind the one that is being answered.
  private static let backlogLimit = 1 << 16

  private let service: PeerService
  private let address: String
  private var session: PeerSession
  private var parser = MessageParser(largestBody: 0)
  private var channel: (any Channel)?
  private var isClosed = false
  private var isBusy = false
  private var isProcessing = false
  private var patience: Scheduled<Void>?
  /// The one that is waited for.
  private var summary: SummaryAnswer?

  init(service: PeerService, address: String) {
    self.service = service
    self.address = address
    session = PeerSession(member: service.member)
  }

  // MARK: - Events

  func handlerAdded(context: ChannelHandlerContext) {
    channel = context.channel
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    channel = nil
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? SecureChannelEstablished {
      session.established(exporter: event.exporter)
      expect(within: Self.introductionPatience)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    guard parser.waiting + bytes.readableBytes <= Self.backlogLimit else { return close() }
    parser.feed(&bytes)
    process()
  }

  func channelInactive(context: ChannelHandlerContext) {
    isClosed = true
    patience?.cancel()
    summary?.cancel()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    close()
  }

  private func close() {
    isClosed = true
    channel?.close(promise: nil)
  }

  private func expect(within time: TimeAmount) {
    patience?.cancel()
    guard let loop = channel?.eventLoop else { return }
    let this = NIOLoopBound(self, eventLoop: loop)
    patience = loop.scheduleTask(in: time) { this.value.close() }
  }

  // MARK: - Requests

  private func process() {
    guard !isProcessing else { return }
    isProcessing = true
    defer { isProcessing = false }
    while !isBusy, let event = parser.next() {
      switch event {
      case .head(let head): handle(session.take(head))
      case .body, .end: break
      case .malformed: return handle(.refuse(.answer(.malformed), isLast: true))
      }
      if isClosed { return }
    }
  }

  private func handle(_ step: PeerSession.Step) {
    switch step {
    case .refuse(let answer, let isLast):
      channel?.send(answer)
      if isLast { close() }
    case .welcome(let peer, let fields):
      service.book.met(peer, address: nil)
      let status = statusFields(service.verdict(on: peer, at: address))
      channel?.send(.answer(.ok, fields.merging(status) { $1 }))
      expect(within: Self.idlePatience)
      service.onIntroduction(peer, channel?.remoteAddress)
    case .serve(let target, let peer):
      expect(within: Self.idlePatience)
      serve(target, to: peer)
    }
  }

  private func statusFields(_ verdict: ConsentGate.Verdict) -> [String: String] {
    service.member.timeFields
      .merging(["fabrik-version": fabrikVersion]) { $1 }
      .merging(ConsentField.fields(verdict)) { $1 }
  }

  private func serve(_ target: PeerTarget, to peer: Introduction) {
    guard let channel else { return }
    switch target {
    case .status: channel.send(.answer(.ok, statusFields(service.verdict(on: peer, at: address))))
    case .summary(let since): sendSummary(since: since, to: peer, channel)
    case .entry(let key):
      let verdict = service.verdict(on: peer, at: address, isUse: true)
      guard verdict == .allowed else { return channel.send(.answer(.refused, ConsentField.fields(verdict))) }
      sendEntry(key, to: peer, channel)
    }
  }

  private func sendEntry(_ key: CacheKey, to peer: Introduction, _ channel: any Channel) {
    guard let place = TransferPlace(service, for: peer.identifier, delaysEnd: true) else {
      return channel.send(.answer(.busy))
    }
    guard let entry = service.store.lookupShared(key) else {
      place.end()
      return channel.send(.answer(.missing))
    }
    isBusy = true
    let size = entry.size
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    let answer = EntryAnswer(entry: entry, service: service, channel: channel) { this.value.expect(within: $0) }
    answer.send().whenSuccess { isSent in
      place.end()
      let handler = this.value
      if isSent { handler.service.book.served(peer.identifier, bytes: size) }
      handler.proceed()
    }
  }

  private func sendSummary(since: SummaryGeneration?, to peer: Introduction, _ channel: any Channel) {
    isBusy = true
    let answer = SummaryAnswer(since: since, to: peer, at: address, service: service, channel: channel) {
      [weak self] time in self?.expect(within: time)
    }
    summary = answer
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    answer.start(service.verdict(on: peer, at: address)).whenComplete { _ in
      this.value.summary = nil
      this.value.proceed()
    }
  }

  /// Goes on with the requests that waited.
  private func proceed() {
    isBusy = false
    if isClosed { return }
    expect(within: Self.idlePatience)
    process()
  }
}
