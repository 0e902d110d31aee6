import CacheStore
import Cryptography
import Glibc
import PeerNetwork
import PeerRecords
import Synchronization
import SystemSupport

/// Attacks on a server. Each prints a line per attempt: what was tried, a colon, and what came of it.
struct Attack: Sendable {
  enum Kind: String, CaseIterable {
    /// Sends the same bytes twice on one channel, and once more on another.
    case replay
    /// Introduces itself and asks with the time of another hour.
    case skew
    /// Leaves signatures out, or takes wrong ones.
    case unsigned
    /// Asks for what is no entry.
    case traverse
    /// Opens 1000 connections at once.
    case many
    /// Sends a request byte by byte, on as many connections as it gets.
    case slowloris
    /// Has the secret of another team, or none.
    case otherSecret = "other-secret"
    /// Asks for everything, whether it may or not.
    case everything
    /// Asks before it has said who it is.
    case early
    /// Asks and asks, and reads no answer.
    case deaf
    /// Comes as 500 machines.
    case crowd
  }

  let impostor: Impostor
  let target: Target
  /// An entry that the server holds.
  let key: CacheKey

  private var entry: String { "/v1/entries/\(key)" }

  func run(_ kind: Kind) throws {
    switch kind {
    case .replay: replay()
    case .skew: skew()
    case .unsigned: unsigned()
    case .traverse: traverse()
    case .many: many()
    case .slowloris: slowloris()
    case .otherSecret: try otherSecret()
    case .everything: everything()
    case .early: early()
    case .deaf: deaf()
    case .crowd: try crowd()
    }
  }

  /// A client on a new channel, which has introduced itself unless told otherwise.
  private func connect(introducing: Bool = true) -> Client? {
    guard let client = Client(impostor: impostor, target: target) else {
      report("handshake: refused")
      return nil
    }
    if introducing { client.introduce() }
    return client
  }

  private func replay() {
    guard let client = connect(introducing: false) else { return }
    let introduction = client.introduction()
    report("introduction: \(client.send(introduction))")
    guard let known = connect(), let another = connect(), let stranger = connect(introducing: false) else { return }
    let request = known.request(entry)
    report("request: \(known.send(request))")
    report("request again: \(known.send(request))")
    report("request on another channel: \(another.send(request))")
    report("introduction on another channel: \(stranger.send(introduction))")
  }

  private func skew() {
    for hour: Int64 in [-3_600_000, 3_600_000] {
      guard let client = connect(introducing: false) else { return }
      let off = UInt64(Int64(Client.now) + hour)
      let refusal = client.introduce(time: off)
      report("introduction off by \(hour): \(refusal)")
      report("introduction still off by \(hour): \(client.introduce(time: off))")
      report("introduction corrected: \(client.introduce(time: refusal.time ?? 0))")
      report("request off by \(hour): \(client.ask(entry, time: off))")
      report("request corrected: \(client.ask(entry))")
    }
  }

  private func unsigned() {
    func attempt(_ what: String, introducing: Bool = true, _ body: (Client) -> MessageHead) {
      guard let client = connect(introducing: introducing) else { return }
      report("\(what): \(client.send(body(client)))")
    }
    attempt("introduction without signature", introducing: false) {
      var head = $0.introduction()
      head.fields[RequestSignature.signatureField] = nil
      return head
    }
    attempt("introduction without proof", introducing: false) {
      var head = $0.introduction()
      head.fields["fabrik-proof"] = String(repeating: "0", count: 128)
      return head
    }
    attempt("introduction as somebody else", introducing: false) {
      var head = $0.introduction()
      head.fields["fabrik-identity"] = Hex.encode(Impostor.random(32))
      return head
    }
    attempt("request without signature") { _ in .request(entry) }
    attempt("request with another's signature") {
      var head = $0.request(entry)
      head.fields[RequestSignature.signatureField] = Hex.encode(Impostor.random(32))
      return head
    }
    attempt("request with the signature of another") {
      let head = $0.request("/v1/status")
      return MessageHead(startLine: MessageHead.request(entry).startLine, fields: head.fields)
    }
    attempt("request with another time") {
      var head = $0.request(entry)
      head.fields[RequestSignature.timeField] = String(Client.now + 1000)
      return head
    }
  }

  private func traverse() {
    let targets = [
      "/v1/entries/../../etc/passwd", "/etc/passwd", "/v1/entries/ccache/../../../etc/passwd", "/v1/../v1/status/",
      "/v1/entries/ccache/%2e%2e%2f", "/v1/entries/ccache", "/v1/entries/ccache/",
      "/v1/entries//\(Hex.encode(key.bytes))",
      "/v1/entries/CCACHE/\(Hex.encode(key.bytes))", "/v1/entries/ccache/\(String(repeating: "0", count: 258))",
      "/v1/entries", "/v1/entries/*", "/v1/summary?since=../..", "/v1/summary?since=1-1&x=1", "/v2/status", "*", "/",
      "http://127.0.0.1\(entry)", "/v1/entries/ccache/\(Hex.encode(key.bytes))?x", "/v1/entries/ccache/00\\..",
    ]
    for target in targets {
      guard let client = connect() else { return }
      report("\(target): \(client.ask(target))")
    }
    for method in ["PUT", "POST", "DELETE", "HEAD", "CONNECT", "get"] {
      guard let client = connect() else { return }
      var head = client.request(entry)
      head.startLine = "\(method) \(entry) HTTP/1.1"
      report("\(method): \(client.send(head))")
    }
    guard let client = connect() else { return }
    var head = client.request(entry)
    head.fields["content-length"] = "5"
    client.channel.send(head)
    report("a body: \(client.send(MessageHead(startLine: "hello")))")
  }

  private func many() {
    let wires = (0..<1000).compactMap { _ in Wire(to: target) }
    let channels = wires.compactMap { TeamChannel($0, impostor.security, .client) }
    report("connections: \(wires.count)")
    report("channels: \(channels.count)")
    withExtendedLifetime((wires, channels)) {}
  }

  private func slowloris() {
    let ended = Mutex((channels: 0, ends: 0))
    let count = 100
    for _ in 0..<count {
      detach {
        guard let wire = Wire(to: target), let channel = TeamChannel(wire, impostor.security, .client) else {
          return ended.withLock { $0.ends += 1 }
        }
        ended.withLock { $0.channels += 1 }
        // The other side's end is noticed by its reset.
        for byte in MessageHead.request("/v1/status").bytes + Array(repeating: UInt8(ascii: "x"), count: 120) {
          guard channel.send([byte]) else { break }
          sleep(1)
        }
        ended.withLock { $0.ends += 1 }
      }
    }
    for _ in 0..<120 where ended.withLock({ $0.ends < count }) { sleep(1) }
    let (channels, ends) = ended.withLock { $0 }
    report("channels: \(channels)")
    report("ended: \(ends)")
  }

  private func otherSecret() throws {
    let stranger = try Impostor(keys: TeamKeys(root: Impostor.random(32)), identity: impostor.identity)
    report("another secret: \(Client(impostor: stranger, target: target) == nil ? "refused" : "a channel")")
    for text in ["GET /v1/status HTTP/1.1\r\nhost: fabrik\r\n\r\n", String(repeating: "\u{16}\u{3}\u{1}", count: 5000)]
    {
      guard let wire = Wire(to: target) else { return report("handshake: refused") }
      wire.send(Array(text.utf8))
      var bytes: [UInt8] = []
      while case .bytes(let piece) = wire.receive() { bytes += piece }
      // An alert, in the clear, is all there may be.
      report("no secret: \(bytes.count < 100 ? "refused" : "\(bytes.count) bytes")")
    }
  }

  private func everything() {
    guard let client = connect(introducing: false) else { return }
    report("introduction: \(client.introduce())")
    for target in ["/v1/status", "/v1/summary", "/v1/summary?since=1-1", entry] {
      report("\(target): \(client.ask(target))")
    }
  }

  private func early() {
    for target in ["/v1/summary", entry] {
      guard let client = connect(introducing: false) else { return }
      report("\(target): \(client.ask(target))")
    }
    // All at once, so that the second is there before the first is answered.
    guard let client = connect(introducing: false) else { return }
    let requests = [client.request(entry), client.introduction()]
    client.channel.send(requests.flatMap(\.bytes))
    report("before the introduction: \(client.channel.receiveMessage())")
  }

  private func deaf() {
    for target in ["/v1/status", "/v1/summary", entry] {
      guard let client = connect() else { return }
      client.channel.wire.setSendPatience(seconds: 3)
      client.channel.wire.setReceiveBuffer(bytes: 1 << 16)
      var sent = 0
      // 100 MiB of answers and more, if the other side goes on answering.
      while sent < 200_000, client.channel.send(client.request(target)) { sent += 1 }
      report("\(target): \(sent < 200_000 ? "not read any more" : "all read")")
    }
  }

  private func crowd() throws {
    var answers: [String: Int] = [:]
    for _ in 0..<500 {
      guard let client = Client(impostor: try impostor.anotherMachine(), target: target) else {
        answers["handshake refused", default: 0] += 1
        continue
      }
      client.introduce()
      answers["\(client.ask(entry))", default: 0] += 1
    }
    for (answer, count) in answers.sorted(by: { $0.key < $1.key }) { report("\(count) machines: \(answer)") }
  }
}
