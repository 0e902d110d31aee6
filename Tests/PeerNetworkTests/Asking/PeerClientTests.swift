import Cryptography
import NIOCore
import NIOEmbedded
import PeerRecords
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A connection to a peer")
struct PeerClientTests {
  /// Notes what became of a request.
  private final class Consumer: AnswerConsumer {
    var status: Int?
    var body: [UInt8] = []
    var ending = ""
    /// What to do with the answer when its head has come.
    var onBegin: () -> Bool = { true }

    func begin(_ head: MessageHead) -> Bool {
      status = head.status
      return onBegin()
    }

    func take(_ piece: ByteBuffer) { body += Array(piece.readableBytesView) }
    func end() { ending += "ended" }
    func fail() { ending += "failed" }
    func abandon() { ending += "abandoned" }
  }

  /// The asking side without a network, and a peer made by hand.
  private final class Bench {
    static let exporter = [UInt8](repeating: 4, count: 32)
    let now: UInt64 = 1_700_000_000_000
    let channel = EmbeddedChannel()
    let member: TeamMember
    let peer: MachineIdentity
    private(set) lazy var handler = PeerClientHandler(member: member, port: 4711) { [unowned self] in
      welcomes.append($0)
    } onClose: { [unowned self] in
      closeCount += 1
    }
    private(set) var welcomes: [PeerClientHandler.Welcome] = []
    private(set) var closeCount = 0
    private var parser = MessageParser(largestBody: 0)

    init() throws {
      let now = now
      member = try TeamMember(
        keys: TeamKeys(root: [UInt8](repeating: 5, count: 32)),
        identity: MachineIdentity(seed: [UInt8](repeating: 1, count: 32)), name: "client", now: { now })
      peer = try MachineIdentity(seed: [UInt8](repeating: 2, count: 32))
      try channel.pipeline.syncOperations.addHandler(handler)
      try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func establish() {
      channel.pipeline.fireUserInboundEventTriggered(SecureChannelEstablished(exporter: Self.exporter))
    }

    /// What has been asked since this was last asked.
    func takeRequests() throws -> [MessageHead] {
      var heads: [MessageHead] = []
      while var buffer = try channel.readOutbound(as: ByteBuffer.self) {
        parser.feed(&buffer)
        while let event = parser.next() { if case .head(let head) = event { heads.append(head) } }
      }
      return heads
    }

    func answer(_ status: PeerStatus, _ fields: [String: String] = [:], body: [UInt8] = [], length: UInt64? = nil)
      throws
    {
      var buffer = ByteBuffer()
      MessageHead.answer(status, length: length ?? UInt64(body.count), fields).write(into: &buffer)
      buffer.writeBytes(body)
      _ = try channel.writeInbound(buffer)
    }

    func welcome(
      instance: String = "fedcba9876543210", role: ChannelSecurity.Role = .server, exporter: [UInt8] = exporter
    ) throws {
      let fields = try Introduction.fields(
        of: peer, instance: instance, name: "peer", port: 0, role: role, exporter: exporter)
      try answer(.ok, fields.merging(["fabrik-consent": "allowed", "fabrik-time": "\(now)"]) { $1 })
    }

    /// A connection that is ready.
    static func ready() throws -> Bench {
      let bench = try Bench()
      bench.establish()
      _ = try bench.takeRequests()
      try bench.welcome()
      try #require(bench.handler.isReady)
      return bench
    }
  }

  private let key = PeerTarget.entry(.init(test: 1))

  @Test("begins with an introduction, and is ready when the peer's has come")
  func introduction() throws {
    let bench = try Bench()
    #expect(try bench.takeRequests().isEmpty, "nothing is said before the channel stands")
    bench.establish()
    let head = try #require(try bench.takeRequests().first)
    #expect(head.target == "/v1/status")
    let own = try #require(Introduction(head, role: .client, exporter: Bench.exporter))
    #expect(own.name == "client" && own.port == 4711 && own.instance == bench.member.instance)
    var signature = RequestSignature(
      key: bench.member.keys.requestKey, client: own.publicKey, server: [], exporter: Bench.exporter)
    try signature.verify(head, now: bench.now)
    #expect(!bench.handler.isReady && bench.welcomes.isEmpty)
    try bench.welcome()
    #expect(bench.handler.isReady && bench.welcomes.count == 1)
    #expect(bench.welcomes[0].peer.name == "peer" && bench.welcomes[0].consent == .allowed)
  }

  @Test("is closed by a peer that is not who it says, or is this server itself")
  func impostors() throws {
    var other = Bench.exporter
    other[0] ^= 1
    for attempt in 0..<5 {
      let bench = try Bench()
      bench.establish()
      switch attempt {
      case 0: try bench.welcome(exporter: other)
      case 1: try bench.welcome(role: .client)
      case 2: try bench.welcome(instance: bench.member.instance)
      case 3: try bench.answer(.ok)
      default: try bench.answer(.missing)
      }
      #expect(bench.handler.isClosed && !bench.channel.isActive && bench.welcomes.isEmpty && bench.closeCount == 1)
    }
  }

  @Test("is closed when the peer does not answer the introduction")
  func patience() throws {
    let bench = try Bench()
    bench.establish()
    bench.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
    #expect(bench.handler.isClosed && !bench.channel.isActive && bench.closeCount == 1)
    let ready = try Bench.ready()
    ready.channel.embeddedEventLoop.advanceTime(by: .hours(1))
    #expect(ready.handler.isReady)
  }

  @Test("uses the peer's time, once it has been told", arguments: [-86_400_000, 86_400_000])
  func skew(offset: Int64) throws {
    let bench = try Bench()
    bench.establish()
    let time = UInt64(Int64(bench.now) + offset)
    #expect(try bench.takeRequests().map { $0["fabrik-time"] } == ["\(bench.now)"])
    try bench.answer(.unauthenticated, ["fabrik-time": "\(time)"])
    #expect(try bench.takeRequests().map { $0["fabrik-time"] } == ["\(time)"])
    try bench.answer(.unauthenticated, ["fabrik-time": "\(time)"])
    #expect(bench.handler.isClosed, "but not for ever")
  }

  @Test("goes on by the peer's time when a clock has been set later")
  func skewLater() throws {
    let bench = try Bench.ready()
    let time = bench.now + 3_600_000
    for expected in [bench.now, time] {
      bench.handler.ask(key, Consumer())
      #expect(try bench.takeRequests().map { $0["fabrik-time"] } == ["\(expected)"])
      try bench.answer(.unauthenticated, ["fabrik-time": "\(time)"])
    }
    #expect(bench.handler.isReady)
  }

  @Test(
    "does not mind what time the peer says it is",
    arguments: ["", "-1", "x", "0", "18446744073709551615", "4611686018427387903"])
  func nonsense(time: String) throws {
    let bench = try Bench()
    bench.establish()
    try bench.answer(.unauthenticated, ["fabrik-time": time])
    #expect(try bench.takeRequests().count == 2)
  }

  @Test("hands each answer to who asked, in their order")
  func order() throws {
    let bench = try Bench.ready()
    let consumers = (0..<3).map { _ in Consumer() }
    for consumer in consumers { bench.handler.ask(key, consumer) }
    #expect(try bench.takeRequests().map(\.target) == [key.text, key.text, key.text])
    #expect(bench.handler.outstanding == 3 && bench.handler.isNext(consumers[0]))
    try bench.answer(.ok, body: [1, 2])
    try bench.answer(.missing)
    try bench.answer(.ok, body: [3])
    #expect(consumers.map(\.status) == [200, 404, 200])
    #expect(consumers.map(\.body) == [[1, 2], [], [3]])
    #expect(consumers.map(\.ending) == ["ended", "ended", "ended"])
    #expect(bench.handler.outstanding == 0)
  }

  @Test("takes requests before it is ready, and sends them when it is")
  func early() throws {
    let bench = try Bench()
    let consumers = (0..<2).map { _ in Consumer() }
    for consumer in consumers { bench.handler.ask(key, consumer) }
    bench.establish()
    #expect(try bench.takeRequests().map(\.target) == ["/v1/status"])
    #expect(bench.handler.outstanding == 2 && bench.handler.isNext(consumers[0]))
    try bench.welcome()
    #expect(try bench.takeRequests().map(\.target) == [key.text, key.text])
    try bench.answer(.ok, body: [1])
    #expect(consumers.map(\.ending) == ["ended", ""])
  }

  @Test("that ends fails what was asked on it, and what is asked later")
  func ended() throws {
    for isReady in [true, false] {
      let bench = isReady ? try Bench.ready() : try Bench()
      let (before, after) = (Consumer(), Consumer())
      bench.handler.ask(key, before)
      try bench.channel.close().wait()
      bench.handler.ask(key, after)
      bench.handler.close()
      #expect(before.ending == "failed" && after.ending == "failed" && bench.closeCount == 1)
    }
  }

  @Test("is closed by an answer nobody asked for, and by what is no answer")
  func unasked() throws {
    let bench = try Bench.ready()
    try bench.answer(.ok, body: [1])
    #expect(bench.handler.isClosed)
    for text in ["nonsense\0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
      let bench = try Bench.ready()
      let consumer = Consumer()
      bench.handler.ask(key, consumer)
      _ = try bench.channel.writeInbound(ByteBuffer(string: text))
      #expect(consumer.ending == "failed" && bench.handler.isClosed && !bench.channel.isActive)
    }
  }

  @Test("reads over a small body that is not wanted")
  func unwanted() throws {
    let bench = try Bench.ready()
    let (first, second) = (Consumer(), Consumer())
    first.onBegin = { false }
    for consumer in [first, second] { bench.handler.ask(key, consumer) }
    try bench.answer(.ok, body: [UInt8](repeating: 1, count: 60_000))
    try bench.answer(.ok, body: [2])
    #expect(first.status == 200 && first.body.isEmpty && first.ending == "")
    #expect(second.body == [2] && second.ending == "ended")
  }

  @Test("is closed rather than read over a large body; the others are asked again elsewhere, not failed")
  func unwantedLarge() throws {
    let bench = try Bench.ready()
    let (first, second) = (Consumer(), Consumer())
    first.onBegin = { false }
    for consumer in [first, second] { bench.handler.ask(key, consumer) }
    try bench.answer(.ok, length: 1 << 20)
    #expect(bench.handler.isClosed && bench.closeCount == 1)
    #expect(first.ending == "" && second.ending == "abandoned")
  }

  @Test("may be closed by who takes the answer, at any point of it", arguments: [true, false])
  func closedByConsumer(isWanted: Bool) throws {
    let bench = try Bench.ready()
    let (first, second) = (Consumer(), Consumer())
    first.onBegin = {
      bench.handler.close()
      return isWanted
    }
    for consumer in [first, second] { bench.handler.ask(key, consumer) }
    try bench.answer(.ok, body: [1])
    #expect(bench.handler.isClosed && first.body.isEmpty && first.ending == "failed" && second.ending == "failed")
  }
}
