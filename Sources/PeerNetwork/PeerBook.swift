import PeerRecords
import Synchronization

/// Where peers were met and what was exchanged with them, written into the records from time to time.
final class PeerBook: Sendable {
  private struct Page {
    var sighting: PeerSighting
    var isChanged: Bool
    /// Whether it has been written; a record that is gone afterwards was to be forgotten.
    var isWritten = false
  }

  private let records: PeerRecords
  /// The team, in the records: a machine may be met in several.
  private let team: String
  private let own: PeerIdentifier?
  private let now: @Sendable () -> UInt64
  private let pages = Mutex<[PeerIdentifier: Page]>([:])

  /// Peers of one run of the server.
  private static let limit = 1024

  /// - Parameter own: this machine, of which nothing is written down.
  init(records: PeerRecords, team: String, own: PeerIdentifier? = nil, now: @escaping @Sendable () -> UInt64) {
    self.records = records
    self.own = own
    self.team = team
    self.now = now
  }

  /// - Parameter address: where it can be reached again; nil when that is not known.
  func met(_ peer: Introduction, address: String?) {
    change(peer.identifier) { sighting in
      sighting.name = peer.name
      sighting.team = team
      sighting.lastSeen = now()
      if let address { sighting.address = address }
    }
  }

  func answered(_ peer: PeerIdentifier, _ answer: PeerSighting.Answer) {
    change(peer) { $0.answer = answer }
  }

  func fetched(_ peer: PeerIdentifier, bytes: UInt64) {
    change(peer) {
      $0.fetchedHits &+= 1
      $0.fetchedBytes &+= bytes
    }
  }

  func served(_ peer: PeerIdentifier, bytes: UInt64) {
    change(peer) {
      $0.servedHits &+= 1
      $0.servedBytes &+= bytes
    }
  }

  func sighting(of peer: PeerIdentifier) -> PeerSighting? {
    pages.withLock { $0[peer]?.sighting } ?? records.sighting(of: peer)
  }

  private func change(_ peer: PeerIdentifier, _ body: (inout PeerSighting) -> Void) {
    pages.withLock { pages in
      guard peer != own, pages[peer] != nil || pages.count < Self.limit else { return }
      var page =
        pages[peer]
        ?? Page(
          sighting: records.sighting(of: peer)
            ?? PeerSighting(name: "", address: "", team: team, lastSeen: now()), isChanged: false)
      body(&page.sighting)
      page.isChanged = true
      pages[peer] = page
    }
  }

  /// Writes what has changed. Blocks for some small files.
  func flush() {
    let changed = pages.withLock { $0.filter(\.value.isChanged) }
    for (peer, page) in changed {
      if page.isWritten, records.sighting(of: peer) == nil {
        pages.withLock { $0[peer] = nil }
        continue
      }
      records.record(page.sighting, of: peer)
      pages.withLock { pages in
        pages[peer]?.isWritten = true
        if pages[peer]?.sighting == page.sighting { pages[peer]?.isChanged = false }
      }
    }
  }
}
