import Configuration
import ControlProtocol
import Glibc
import PeerRecords
import SystemSupport

/// A peer as the records and the running server know it.
struct KnownPeer {
  let identifier: PeerIdentifier
  let consent: ConsentRecord?
  let sighting: PeerSighting?
  let report: PeerReport?

  /// All of them, by name.
  static func all(records: PeerRecords, reports: [PeerReport]) -> [KnownPeer] {
    var live: [PeerIdentifier: PeerReport] = [:]
    for report in reports {
      if let identifier = PeerIdentifier(report.identifier) { live[identifier] = report }
    }
    var peers = records.all().map { KnownPeer(identifier: $0, consent: $1, sighting: $2, report: live[$0]) }
    let known = Set(peers.map(\.identifier))
    peers += live.filter { !known.contains($0.key) }
      .map { KnownPeer(identifier: $0, consent: nil, sighting: nil, report: $1) }
    return peers.sorted { ($0.name, $0.identifier.description) < ($1.name, $1.identifier.description) }
  }

  var name: String { DisplayText.name(report?.name ?? sighting?.name ?? "") }

  var address: String {
    let address = DisplayText.clean(report?.address ?? sighting?.address ?? "", limit: 128)
    return address.isEmpty ? "-" : address
  }

  var candidate: PeerSelection.Candidate { .init(identifier: identifier, name: name) }

  private var fetched: (hits: UInt64, bytes: UInt64) {
    (report?.fetchedHits ?? sighting?.fetchedHits ?? 0, report?.fetchedBytes ?? sighting?.fetchedBytes ?? 0)
  }

  private var served: (hits: UInt64, bytes: UInt64) {
    (report?.servedHits ?? sighting?.servedHits ?? 0, report?.servedBytes ?? sighting?.servedBytes ?? 0)
  }

  private var answer: String {
    let reported = report.map { PeerSighting.Answer(rawValue: $0.answer) ?? .unknown }
    return (reported ?? sighting?.answer ?? .unknown).rawValue
  }

  private var decision: String { consent?.consent.rawValue ?? "not asked" }

  static let header = ["NAME", "ID", "ADDRESS", "LATENCY", "FETCHED", "SERVED", "IT SAYS", "YOU SAY"]

  /// A socket's path says nothing to people.
  var place: String { address.hasPrefix("unix:") ? "this machine" : address }

  var row: [String] {
    [
      name, identifier.short, place, latency, Self.exchange(fetched), Self.exchange(served),
      answer == "unknown" ? "-" : answer, consent == nil ? "-" : decision,
    ]
  }

  private var latency: String {
    guard let report, report.isConnected else { return "away" }
    guard let microseconds = report.latencyMicroseconds else { return "-" }
    return "\(Quantity.format(Double(microseconds) / 1000, decimals: microseconds < 10_000 ? 2 : 0)) ms"
  }

  private static func exchange(_ exchange: (hits: UInt64, bytes: UInt64)) -> String {
    exchange.hits == 0 ? "-" : "\(exchange.hits) (\(ByteSize(bytes: exchange.bytes)))"
  }

  /// How long it has been waiting for an answer.
  var waiting: Duration {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return .milliseconds(max(0, Int64(time.tv_sec) * 1000 - Int64(clamping: consent?.since ?? 0)))
  }

  var json: JSONText {
    .object([
      ("id", .string(identifier.description)), ("name", .string(name)), ("address", .string(address)),
      ("connected", .bool(report?.isConnected == true)),
      ("entries", .integer(report?.entries ?? 0)),
      ("latency_us", report?.latencyMicroseconds.map { .integer($0) } ?? .null),
      ("fetched", .object([("hits", .integer(fetched.hits)), ("bytes", .integer(fetched.bytes))])),
      ("served", .object([("hits", .integer(served.hits)), ("bytes", .integer(served.bytes))])),
      ("answer", .string(answer)), ("consent", .string(consent?.consent.rawValue ?? "none")),
      ("last_seen_ms", .integer(sighting?.lastSeen ?? 0)),
    ])
  }
}
