import PeerRecords
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("Machines that were met before")
struct KnownPeersTests {
  private let now: UInt64 = 4_000_000_000_000

  /// Asks for the machines of the team `0123456789abcdef` that were seen so many milliseconds ago.
  private func endpoints(_ sightings: [(age: UInt64, address: String, team: String)]) throws -> (
    fresh: [String], all: [String]
  ) {
    try withTemporaryDirectory { directory in
      let records = PeerRecords(directory: directory.appending("peers"))
      for (number, sighting) in sightings.enumerated() {
        let peer = try #require(PeerIdentifier(Hex.encode([UInt8](repeating: UInt8(number), count: 16))))
        records.record(
          PeerSighting(name: "a", address: sighting.address, team: sighting.team, lastSeen: now - sighting.age),
          of: peer)
      }
      let (fresh, all) = KnownPeers(records: records, team: "0123456789abcdef").endpoints(now: now)
      return (fresh.map(\.description), all.map(\.description))
    }
  }

  @Test("are dialled for a month, the latest first, and waited for if that was today")
  func age() throws {
    let team = "0123456789abcdef"
    let (fresh, all) = try endpoints([
      (KnownPeers.memory, "10.0.0.1:1", team), (KnownPeers.memory - 1, "10.0.0.2:1", team),
      (KnownPeers.freshness, "10.0.0.3:1", team), (KnownPeers.freshness - 1, "10.0.0.4:1", team),
      (5, "10.0.0.5:1", team),
      (5, "nonsense", team), (5, "8.8.8.8:1", team), (5, "10.0.0.6:1", "fedcba9876543210"),
    ])
    #expect(fresh == ["10.0.0.5:1", "10.0.0.4:1"])
    #expect(all == ["10.0.0.5:1", "10.0.0.4:1", "10.0.0.3:1", "10.0.0.2:1"])
  }

  @Test("are dialled up to a number")
  func most() throws {
    let (_, all) = try endpoints((0..<50).map { (UInt64($0), "10.0.0.1:\($0 + 1)", "0123456789abcdef") })
    #expect(all == (0..<KnownPeers.most).map { "10.0.0.1:\($0 + 1)" })
  }
}
