import PeerRecords

/// The machines of a team that were met before, and where.
struct KnownPeers: Sendable {
  /// Milliseconds: peers seen within this time are waited for at the beginning.
  static let freshness: UInt64 = 12 * 3_600_000
  /// Milliseconds: peers seen within this time are dialled.
  static let memory: UInt64 = 30 * 86_400_000
  /// Peers that are dialled.
  static let most = 32

  let records: PeerRecords
  /// The team, in the records.
  let team: String

  /// Where those may be that were seen a short while ago, and all; the latest first.
  func endpoints(now: UInt64) -> (fresh: [PeerEndpoint], all: [PeerEndpoint]) {
    func age(_ sighting: PeerSighting) -> UInt64 { now - min(now, sighting.lastSeen) }
    let known = records.all().compactMap { $0.2 }
      .filter { $0.team == team && age($0) < Self.memory }
      .sorted { $0.lastSeen > $1.lastSeen }
      .prefix(Self.most)
    return (
      known.filter { age($0) < Self.freshness }.compactMap { PeerEndpoint($0.address) },
      known.compactMap { PeerEndpoint($0.address) }
    )
  }
}
