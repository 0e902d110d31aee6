import Cryptography
import NIOCore
import PeerRecords
import SystemSupport

/// Takes the answer to one request. Called on the connection's event loop; after `end` or `failed` not again.
protocol AnswerConsumer: AnyObject {
  /// The head has come. False: the rest is not wanted; the connection reads over it, or closes.
  func begin(_ head: MessageHead) -> Bool
  func take(_ piece: ByteBuffer)
  func end()
  /// The connection ended, or the other side broke the protocol.
  func fail()
  /// The connection was closed before the request was answered, through no fault of the other side.
  func abandon()
}

extension AnswerConsumer {
  func abandon() { fail() }
}

/// The asking side of one connection: introduces this machine, then sends requests and hands out their answers, which come
/// in the same order.
final class PeerClientHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case handshaking
    case introducing(exporter: [UInt8], attempts: Int)
    case ready(Introduction)
    case closed
  }

  /// What the other side said when the connection was opened.
  struct Welcome: Sendable {
    let peer: Introduction
    /// Whether we are let in.
    let consent: PeerSighting.Answer
    /// From the question to the answer's head.
    let roundTrip: TimeAmount
    /// The other side's clock minus ours, in milliseconds.
    let clockOffset: Int64
  }

  private struct Exchange {
    let consumer: any AnswerConsumer
    var isWanted = true
  }

  /// Whoever has the team's key answers the introduction at once.
  private static let welcomePatience = TimeAmount.seconds(5)
  /// Bodies that nobody wants are read over up to this size; beyond it, a new connection costs less.
  private static let skipLimit: UInt64 = 1 << 16
  /// Bytes of an answer: more than any entry.
  private static let largestBody: UInt64 = 1 << 40

  private let member: TeamMember
  private let port: UInt16
  private let onWelcome: (Welcome) -> Void
  private let onClose: () -> Void
  private var state = State.handshaking
  private var signature: RequestSignature?
  private var parser = MessageParser(largestBody: PeerClientHandler.largestBody)
  private var exchanges: [Exchange] = []
  /// Requests for which the connection is not ready yet.
  private var early: [(PeerTarget, any AnswerConsumer)] = []
  /// Whether the first exchange's head has come.
  private var isAnswering = false
  private var context: ChannelHandlerContext?
  private var patience: Scheduled<Void>?
  private var askedAt = NIODeadline.now()
  private var clockOffset: Int64 = 0

  /// - Parameters:
  ///   - port: where this machine can itself be asked; 0: nowhere.
  ///   - onWelcome: called once, when requests can be sent.
  ///   - onClose: called once, at the end, also when there was no welcome.
  init(member: TeamMember, port: UInt16, onWelcome: @escaping (Welcome) -> Void, onClose: @escaping () -> Void) {
    self.member = member
    self.port = port
    self.onWelcome = onWelcome
    self.onClose = onClose
  }

  /// Requests whose answers have not come.
  var outstanding: Int { exchanges.count + early.count }

  /// Whether requests can be sent.
  var isReady: Bool { if case .ready = state { true } else { false } }

  var isClosed: Bool { if case .closed = state { true } else { false } }

  /// Whether the answer to this one's request is the next to come.
  func isNext(_ consumer: any AnswerConsumer) -> Bool {
    (exchanges.first?.consumer ?? early.first?.1) === consumer
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? SecureChannelEstablished {
      state = .introducing(exporter: event.exporter, attempts: 0)
      signature = RequestSignature(
        key: member.keys.requestKey, client: member.identity.publicKey, server: [], exporter: event.exporter)
      let this = NIOLoopBound(self, eventLoop: context.eventLoop)
      patience = context.eventLoop.scheduleTask(in: Self.welcomePatience) { this.value.close() }
      introduce(exporter: event.exporter, context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  private var serverTime: UInt64 { UInt64(max(0, Int64(member.now()) + clockOffset)) }

  private func introduce(exporter: [UInt8], _ context: ChannelHandlerContext) {
    guard
      let fields = try? Introduction.fields(
        of: member.identity, instance: member.instance, name: member.name, port: port, role: .client,
        exporter: exporter)
    else { return close() }
    var head = MessageHead.request(PeerTarget.status.text, fields)
    signature?.sign(&head, time: serverTime)
    askedAt = .now()
    write(head, context)
  }

  /// Sends a request, as soon as the connection is ready; the answer goes to `consumer`.
  func ask(_ target: PeerTarget, _ consumer: any AnswerConsumer) {
    if isClosed { return consumer.fail() }
    guard isReady, let context else { return early.append((target, consumer)) }
    var head = MessageHead.request(target.text)
    signature?.sign(&head, time: serverTime)
    exchanges.append(Exchange(consumer: consumer))
    write(head, context)
  }

  private func write(_ head: MessageHead, _ context: ChannelHandlerContext) {
    var buffer = context.channel.allocator.buffer(capacity: 512)
    head.write(into: &buffer)
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    parser.feed(&bytes)
    while let event = parser.next() {
      switch event {
      case .head(let head): begin(head, context)
      case .body(let piece): if exchanges.first?.isWanted == true { exchanges[0].consumer.take(piece) }
      case .end: end()
      case .malformed: close()
      }
      if case .closed = state { return }
    }
  }

  private func begin(_ head: MessageHead, _ context: ChannelHandlerContext) {
    switch state {
    case .introducing(let exporter, let attempts): welcome(head, exporter: exporter, attempts: attempts, context)
    case .ready:
      if head.status == PeerStatus.unauthenticated.rawValue { learnTime(head) }
      guard let exchange = exchanges.first else { return close() }
      isAnswering = true
      let isWanted = exchange.consumer.begin(head)
      // The consumer may have ended the connection, for what it was told.
      guard !isWanted, !exchanges.isEmpty else { return }
      exchanges[0].isWanted = false
      if head.contentLength > Self.skipLimit { close(forOwnReasons: true) }
    case .handshaking, .closed: close()
    }
  }

  private func end() {
    guard case .ready = state, let exchange = exchanges.first else { return }
    // The welcome's own end comes before any exchange's head.
    guard isAnswering else { return }
    exchanges.removeFirst()
    isAnswering = false
    if exchange.isWanted { exchange.consumer.end() }
  }

  /// The other side's clock may be off from ours; what counts is its own.
  private func learnTime(_ head: MessageHead) {
    guard let time = head[RequestSignature.timeField].flatMap({ UInt64($0) }), time < 1 << 62 else { return }
    clockOffset = Int64(time) - Int64(member.now())
  }

  private func welcome(_ head: MessageHead, exporter: [UInt8], attempts: Int, _ context: ChannelHandlerContext) {
    let roundTrip = NIODeadline.now() - askedAt
    learnTime(head)
    if head.status == PeerStatus.unauthenticated.rawValue, attempts == 0, head.contentLength == 0 {
      // Our clock differs from theirs; with their time, the request is taken.
      state = .introducing(exporter: exporter, attempts: 1)
      return introduce(exporter: exporter, context)
    }
    guard head.status == PeerStatus.ok.rawValue, head.contentLength == 0,
      let peer = Introduction(head, role: .server, exporter: exporter), peer.instance != member.instance
    else { return close() }
    state = .ready(peer)
    patience?.cancel()
    signature = RequestSignature(
      key: member.keys.requestKey, client: member.identity.publicKey, server: peer.publicKey, exporter: exporter)
    onWelcome(
      Welcome(
        peer: peer, consent: ConsentField.read(head), roundTrip: roundTrip, clockOffset: clockOffset))
    let waiting = early
    early = []
    for (target, consumer) in waiting { ask(target, consumer) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    finish()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    close()
  }

  /// Ends the connection; requests without an answer fail.
  func close() { close(forOwnReasons: false) }

  private func close(forOwnReasons isOwn: Bool) {
    let context = context
    finish(forOwnReasons: isOwn)
    context?.close(promise: nil)
  }

  private func finish(forOwnReasons isOwn: Bool = false) {
    if case .closed = state { return }
    state = .closed
    patience?.cancel()
    let abandoned = exchanges.filter(\.isWanted).map(\.consumer) + early.map(\.1)
    exchanges = []
    early = []
    // First, so that nobody asks here again.
    onClose()
    for consumer in abandoned { isOwn ? consumer.abandon() : consumer.fail() }
  }
}
