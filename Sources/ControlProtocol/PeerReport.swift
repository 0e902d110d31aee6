/// What a running server knows of one peer.
package struct PeerReport: Sendable, Equatable {
  /// The peer's identifier.
  package var identifier: String
  /// As it calls itself: not fit to be shown.
  package var name: String
  package var address: String
  /// Whether there is a connection now.
  package var isConnected: Bool
  /// Of a round trip; nil when it is not known.
  package var latencyMicroseconds: UInt64?
  /// What it offers.
  package var entries: Int
  /// Since the peer is known, as in its record.
  package var fetchedHits: UInt64
  package var fetchedBytes: UInt64
  package var servedHits: UInt64
  package var servedBytes: UInt64
  /// What the peer says to our requests: `allowed`, `pending`, `denied` or `unknown`.
  package var answer: String
  /// Its clock minus this machine's, when the connection was opened.
  package var clockOffsetMilliseconds: Int64

  package init(
    identifier: String, name: String, address: String, isConnected: Bool = true, latencyMicroseconds: UInt64? = nil,
    entries: Int = 0,
    fetchedHits: UInt64 = 0, fetchedBytes: UInt64 = 0, servedHits: UInt64 = 0, servedBytes: UInt64 = 0,
    answer: String = "unknown", clockOffsetMilliseconds: Int64 = 0
  ) {
    self.identifier = identifier
    self.name = name
    self.address = address
    self.isConnected = isConnected
    self.latencyMicroseconds = latencyMicroseconds
    self.entries = entries
    self.fetchedHits = fetchedHits
    self.fetchedBytes = fetchedBytes
    self.servedHits = servedHits
    self.servedBytes = servedBytes
    self.answer = answer
    self.clockOffsetMilliseconds = clockOffsetMilliseconds
  }
}

extension PeerReport {
  package var message: ControlMessage {
    var fields = [
      "id": identifier, "name": name, "address": address, "state": isConnected ? "connected" : "away",
      "entries": String(entries), "answer": answer, "fetched.hits": String(fetchedHits),
      "fetched.bytes": String(fetchedBytes), "served.hits": String(servedHits), "served.bytes": String(servedBytes),
    ]
    fields["clock"] = String(clockOffsetMilliseconds)
    fields["latency"] = latencyMicroseconds.map { String($0) }
    return ControlMessage(ControlMessage.peer, fields)
  }

  /// nil when it is another message or names no peer.
  package init?(message: ControlMessage) {
    guard message.verb == ControlMessage.peer, let identifier = message["id"] else { return nil }
    func number(_ field: String) -> UInt64? { message[field].flatMap { UInt64($0) } }
    self.init(
      identifier: identifier, name: message["name"] ?? "", address: message["address"] ?? "",
      isConnected: message["state"] == "connected", latencyMicroseconds: number("latency"),
      entries: message["entries"].flatMap { Int($0) } ?? 0,
      fetchedHits: number("fetched.hits") ?? 0, fetchedBytes: number("fetched.bytes") ?? 0,
      servedHits: number("served.hits") ?? 0, servedBytes: number("served.bytes") ?? 0,
      answer: message["answer"] ?? "unknown",
      clockOffsetMilliseconds: message["clock"].flatMap { Int64($0) } ?? 0)
  }
}
