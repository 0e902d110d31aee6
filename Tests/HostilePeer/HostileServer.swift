import CacheStore
import Cryptography
import Glibc
import PeerNetwork
import Synchronization
import SystemSupport
import TestSupport

/// Lets itself be asked, and does not keep to the rules.
///
/// Prints `ready PORT`, then `connected` for each connection, `introduced NAME` for each machine that has said who it is,
/// and `asked KEY` for each entry that was asked for.
struct HostileServer: Sendable {
  let impostor: Impostor
  let misbehaviour: Misbehaviour
  /// What it claims to hold; nil: nothing that it could give.
  let store: CacheStore?
  /// Fingerprints that it claims beside those of the store.
  let claims: Int

  /// Counts answers, so that variants take turns.
  private static let turn = Atomic<Int>(0)

  func run(port: UInt16) {
    guard let door = Door(port: port) else { return report("port \(port) cannot be listened on") }
    report("ready \(door.port)")
    door.open { visit($0) }
  }

  private func visit(_ wire: Wire) {
    report("connected")
    switch misbehaviour {
    case .stall: wire.waitForEnd()
    case .garbageHandshake:
      while wire.send(Impostor.random(1000)) { usleep(1000) }
    default:
      guard let channel = TeamChannel(wire, impostor.security, .server) else { return }
      serve(channel)
    }
  }

  private func serve(_ channel: TeamChannel) {
    guard let head = channel.receiveRequest(),
      let visitor = Introduction(head, role: .client, exporter: channel.exporter)
    else { return report("no introduction") }
    switch misbehaviour {
    case .stallHandshake:
      channel.wire.waitForEnd()
      return
    case .headersHandshake: return sendHeaders(channel)
    case .garbage:
      while channel.send(Impostor.random(1000)) { usleep(1000) }
      return
    default: break
    }
    var fields = impostor.introduction(as: .server, exporter: channel.exporter)
    fields["fabrik-time"] = String(CacheStore.systemTime())
    fields["fabrik-consent"] = "allowed"
    channel.send(.answer(fields))
    report("introduced \(visitor.name)")
    while let request = channel.receiveRequest(), let target = request.target {
      if target.hasPrefix("/v1/summary") {
        answerSummary(channel, isFirst: !target.contains("?"))
      } else if let key = CacheKey(target: target) {
        report("asked \(key)")
        guard answerEntry(key, channel) else { return }
      } else {
        channel.send(.answer(fields))
      }
    }
  }

  // MARK: - Summaries

  private func answerSummary(_ channel: TeamChannel, isFirst: Bool) {
    switch misbehaviour {
    case .flood:
      channel.send(summary(kind: "full", count: 1 << 30))
      while channel.send(Impostor.random(1 << 14)) {}
    case .floodFull: sendSummary(channel, kind: "full", (0..<(1 << 20)).map { _ in .random(in: 1...UInt32.max) })
    case .floodChanges where !isFirst:
      sendSummary(channel, kind: "changes", (0..<1000).map { _ in .random(in: 1...UInt32.max) })
    default:
      guard isFirst else {
        // As a server that has nothing new.
        sleep(20)
        return sendSummary(channel, kind: "changes", [])
      }
      var fingerprints = (0..<claims).map { _ in UInt32.random(in: 1...UInt32.max) }
      store?.forEachFingerprint { fingerprints.append($0) }
      sendSummary(channel, kind: "full", fingerprints)
      report("claimed \(fingerprints.count)")
    }
  }

  private func summary(kind: String, count: Int) -> MessageHead {
    .answer(["fabrik-generation": "1-1", "fabrik-summary": kind, "content-length": String(count * 4)])
  }

  private func sendSummary(_ channel: TeamChannel, kind: String, _ fingerprints: [UInt32]) {
    let body = fingerprints.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    channel.send(summary(kind: kind, count: fingerprints.count).bytes + body)
  }

  // MARK: - Entries

  /// False: the connection is of no use any more.
  private func answerEntry(_ key: CacheKey, _ channel: TeamChannel) -> Bool {
    let body = body(of: key)
    guard let digest = OpenSSL.sha256(body) else { return false }
    var fields = ["fabrik-digest": Hex.encode(digest), "content-length": String(body.count)]
    let turn = Self.turn.add(1, ordering: .relaxed).oldValue
    switch misbehaviour {
    case .lie:
      channel.send(MessageHead.answer(fields).bytes + body.map { ~$0 })
    case .lieSize:
      fields["content-length"] = [String(body.count * 2), String(body.count / 2), String(1 << 39), "-1"][turn % 4]
      channel.send(MessageHead.answer(fields).bytes + body)
      return channel.wire.waitForEnd() && false
    case .stallRequest: return channel.wire.waitForEnd() && false
    case .stallBody:
      channel.send(MessageHead.answer(fields).bytes + body.prefix(body.count / 2))
      return channel.wire.waitForEnd() && false
    case .dribble:
      let head = MessageHead.answer(fields).bytes
      let isInBody = turn % 2 == 0
      if isInBody { channel.send(head) }
      for byte in isInBody ? body : head + body {
        guard channel.send([byte]) else { return false }
        sleep(1)
      }
    case .creep:
      fields["content-length"] = "1000000000"
      channel.send(.answer(fields))
      while channel.send([UInt8](repeating: 0, count: 15_000)) { usleep(10_000) }
      return false
    case .reset:
      channel.send(MessageHead.answer(fields).bytes + body.prefix(body.count / 2))
      channel.wire.resetAtEnd()
      return false
    case .headers:
      sendHeaders(channel)
      return false
    default:
      if store != nil, body.isEmpty { return channel.send("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n") }
      channel.send(MessageHead.answer(fields).bytes + body)
    }
    return true
  }

  /// What is served: the store's entry, or something made up.
  private func body(of key: CacheKey) -> [UInt8] {
    guard let store else { return Impostor.random(1 << 14) }
    return store.lookup(key)?.body ?? []
  }

  private func sendHeaders(_ channel: TeamChannel) {
    var number = 0
    channel.send("HTTP/1.1 200 OK\r\n")
    while channel.send("field-\(number): \(String(repeating: "x", count: 100))\r\n") { number += 1 }
  }
}

extension MessageHead {
  static func answer(_ fields: [String: String]) -> MessageHead {
    MessageHead(startLine: "HTTP/1.1 200 OK", fields: ["content-length": "0"].merging(fields) { $1 })
  }
}

extension CacheKey {
  /// Reads `/v1/entries/NAMESPACE/HEX` and `NAMESPACE/HEX`.
  init?(target: String) {
    let parts = target.split(separator: "/")
    guard parts.count >= 2, let bytes = Hex.decode(Array(parts[parts.count - 1].utf8)) else { return nil }
    self.init(namespace: String(parts[parts.count - 2]), bytes: bytes)
  }
}
