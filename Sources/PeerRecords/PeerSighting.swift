import ControlProtocol
import SystemSupport

/// Where a peer was met last, and what was exchanged with it. Written by the server only.
package struct PeerSighting: Sendable, Equatable {
  /// What the peer says to our requests.
  package enum Answer: String, Sendable {
    case allowed, pending, denied, unknown
  }

  /// As the peer calls itself; fit to be shown when it comes from a record.
  package var name: String
  /// `10.0.0.2:4711`, `[fe80::1%eth0]:4711` or `unix:/path`.
  package var address: String
  /// The team: the beginning of its scope's tag, 16 hexadecimal digits.
  package var team: String
  /// Milliseconds since 1970.
  package var lastSeen: UInt64
  package var fetchedHits: UInt64
  package var fetchedBytes: UInt64
  package var servedHits: UInt64
  package var servedBytes: UInt64
  package var answer: Answer

  package init(
    name: String, address: String, team: String = "", lastSeen: UInt64, fetchedHits: UInt64 = 0,
    fetchedBytes: UInt64 = 0, servedHits: UInt64 = 0, servedBytes: UInt64 = 0, answer: Answer = .unknown
  ) {
    self.name = name
    self.address = address
    self.team = team
    self.lastSeen = lastSeen
    self.fetchedHits = fetchedHits
    self.fetchedBytes = fetchedBytes
    self.servedHits = servedHits
    self.servedBytes = servedBytes
    self.answer = answer
  }
}

extension PeerSighting {
  private static let verb = "seen"

  /// The file's one line.
  var line: String {
    let message = ControlMessage(
      Self.verb,
      [
        "name": name, "address": address, "team": team, "last": String(lastSeen), "answer": answer.rawValue,
        "fetched": String(fetchedHits), "fetched.bytes": String(fetchedBytes),
        "served": String(servedHits), "served.bytes": String(servedBytes),
      ])
    return String(decoding: message.encoded, as: UTF8.self)
  }

  /// nil when the text is not what ``line`` makes. Numbers that are malformed count as zero; texts are made fit to be
  /// shown, for a peer may call itself anything.
  init?(line: String) {
    guard let message = ControlMessage(line: line.utf8.prefix { $0 != UInt8(ascii: "\n") }), message.verb == Self.verb
    else { return nil }
    func number(_ field: String) -> UInt64 { message[field].flatMap { UInt64($0) } ?? 0 }
    let team = message["team"] ?? ""
    self.init(
      name: DisplayText.name(message["name"] ?? ""), address: DisplayText.clean(message["address"] ?? "", limit: 128),
      team: team.utf8.count == 16 && Hex.decode(Array(team.utf8)) != nil ? team : "", lastSeen: number("last"),
      fetchedHits: number("fetched"), fetchedBytes: number("fetched.bytes"), servedHits: number("served"),
      servedBytes: number("served.bytes"),
      answer: message["answer"].flatMap(Answer.init(rawValue:)) ?? .unknown)
  }
}
