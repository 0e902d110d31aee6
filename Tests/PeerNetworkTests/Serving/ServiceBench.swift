import CacheStore
import ChannelSupport
import ControlProtocol
import Cryptography
import NIOCore
import NIOEmbedded
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PeerNetwork
@testable import PeerRecords

/// The answering side of one connection without a network, and the means to ask it.
final class ServiceBench {
  static let now: UInt64 = 1_700_000_000_000
  static let exporter = [UInt8](repeating: 4, count: 32)
  static let root = [UInt8](repeating: 5, count: 32)

  /// Holds what is written until it is let go, as a slow network does.
  final class Brake: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var isOn = false
    private var held: [EventLoopPromise<Void>] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
      let held = context.eventLoop.makePromise(of: Void.self)
      if isOn { self.held.append(held) } else { held.succeed() }
      context.write(data, promise: nil)
      held.futureResult.cascade(to: promise)
    }

    func release() {
      let promises = held
      held = []
      for promise in promises { promise.succeed() }
    }
  }

  let channel = EmbeddedChannel()
  let brake = Brake()
  let store: CacheStore
  let records: PeerRecords
  let service: PeerService
  let client: MachineIdentity
  var signature: RequestSignature
  private var parser = MessageParser(largestBody: 1 << 30)

  init(_ directory: FilePath, mode: ConsentMode = .alwaysAllow) throws {
    let now: @Sendable () -> UInt64 = { Self.now }
    store = try CacheStore(
      directory: directory.appending("store"), maxSize: 1 << 30, scope: Scope(tag: [UInt8](repeating: 9, count: 16)))
    records = PeerRecords(directory: directory.appending("peers"), now: now)
    client = try MachineIdentity(seed: [UInt8](repeating: 1, count: 32))
    let server = try MachineIdentity(seed: [UInt8](repeating: 2, count: 32))
    let keys = try TeamKeys(root: Self.root)
    service = PeerService(
      member: try TeamMember(keys: keys, identity: server, name: "server", now: now), store: store,
      summary: OwnSummary(),
      consent: ConsentGate(mode: mode, records: records, own: server.identifier, now: now) { _, _, _ in },
      transfers: ActivityCount(), book: PeerBook(records: records, team: "t", now: now)
    ) { _, _ in }
    signature = RequestSignature(
      key: keys.requestKey, client: client.publicKey, server: [], exporter: Self.exporter)
    try channel.pipeline.syncOperations.addHandlers([brake, PeerServiceHandler(service: service, address: "10.0.0.2")])
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    channel.pipeline.fireUserInboundEventTriggered(SecureChannelEstablished(exporter: Self.exporter))
  }

  /// What the client says of itself.
  func introduction(instance: String = "0123456789abcdef", exporter: [UInt8] = exporter) throws -> MessageHead {
    .request(
      "/v1/status",
      try Introduction.fields(
        of: client, instance: instance, name: "client", port: 0, role: .client, exporter: exporter))
  }

  /// Introduces the client; from then on requests can be asked.
  func introduce() throws {
    let answer = try #require(try ask(introduction()).first)
    try #require(answer.status == 200)
    let peer = try #require(Introduction(answer.head, role: .server, exporter: Self.exporter))
    signature = RequestSignature(
      key: try TeamKeys(root: Self.root).requestKey, client: client.publicKey, server: peer.publicKey,
      exporter: Self.exporter)
  }

  func signed(_ head: MessageHead, time: UInt64 = now) -> MessageHead {
    var head = head
    signature.sign(&head, time: time)
    return head
  }

  func send(_ heads: [MessageHead]) throws {
    var buffer = ByteBuffer()
    for head in heads { head.write(into: &buffer) }
    try send(buffer)
  }

  func send(_ buffer: ByteBuffer) throws {
    _ = try channel.writeInbound(buffer)
    channel.embeddedEventLoop.run()
  }

  struct Answer {
    let head: MessageHead
    var body: [UInt8] = []
    var isWhole = false

    var status: Int? { head.status }
  }

  /// What has been answered since this was last asked.
  func takeAnswers() throws -> [Answer] {
    var answers: [Answer] = []
    while var buffer = try channel.readOutbound(as: ByteBuffer.self) {
      parser.feed(&buffer)
      while let event = parser.next() {
        switch event {
        case .head(let head): answers.append(Answer(head: head))
        case .body(let piece): answers[answers.count - 1].body += Array(piece.readableBytesView)
        case .end: answers[answers.count - 1].isWhole = true
        case .malformed: Issue.record("a malformed answer")
        }
      }
    }
    return answers
  }

  /// Sends a head, signed, and takes what is answered.
  func ask(_ head: MessageHead) throws -> [Answer] {
    try send([signed(head)])
    return try takeAnswers()
  }

  func ask(_ target: PeerTarget) throws -> [Answer] { try ask(.request(target.text)) }

  func pass(_ time: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: time) }
}

func withServiceBench(mode: ConsentMode = .alwaysAllow, _ body: (ServiceBench) throws -> Void) throws {
  try withTemporaryDirectory { directory in
    let bench = try ServiceBench(directory, mode: mode)
    try body(bench)
    _ = try? bench.channel.finish(acceptAlreadyClosed: true)
  }
}
