package import ControlProtocol
import LayeredCache
import NIOCore
import NIOPosix
import PeerRecords

extension PeerNetwork {
  /// For `fabrik p2p status`.
  package var statusFields: [String: String] {
    status.all.merging([
      "id": member.identity.identifier.description, "name": member.name, "entries": "\(summary.count)",
    ]) { $1 }
  }

  /// For `fabrik p2p list`: the peers that are connected. What is known of the others is in the records afterwards.
  package func report() async -> [PeerReport] {
    try? await background.runIfActive { self.book.flush() }
    let directory = directory
    let links = (try? await loop.submit { directory.value.allLinks.compactMap(\.report) }.get()) ?? []
    return links.filter { $0.peer != member.identity.identifier }.map { link in
      let sighting = book.sighting(of: link.peer)
      return PeerReport(
        identifier: link.peer.description, name: link.name, address: link.address,
        latencyMicroseconds: link.latency.map { UInt64(max(0, $0.nanoseconds / 1000)) },
        entries: index.count(of: link.slot), fetchedHits: sighting?.fetchedHits ?? 0,
        fetchedBytes: sighting?.fetchedBytes ?? 0, servedHits: sighting?.servedHits ?? 0,
        servedBytes: sighting?.servedBytes ?? 0, answer: link.answer.rawValue, clockOffsetMilliseconds: link.clockOffset
      )
    }
  }
}

extension PeerLink {
  /// What is told about a connected peer.
  struct Report: Sendable {
    let peer: PeerIdentifier
    let name: String
    let address: String
    let answer: PeerSighting.Answer
    let latency: TimeAmount?
    /// Its clock minus ours, in milliseconds.
    let clockOffset: Int64
    let slot: PeerIndex.Slot
  }

  /// nil as long as it has not introduced itself.
  var report: Report? {
    peer.map {
      Report(
        peer: $0.identifier, name: $0.name, address: endpoint.description, answer: answer, latency: latency.typical,
        clockOffset: clockOffset, slot: slot)
    }
  }
}
