import CacheStore
import ControlProtocol
import LayeredCache
import PeerRecords
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

extension RealNetwork {
  @Suite("Machines of a team", .timeLimit(.minutes(2)))
  struct PeerNetworkTests {
    private let key = CacheKey(test: 1)
    private let other = CacheKey(test: 2)

    @Test("fetch from each other what they lack", arguments: [0, 100, 100_000, 5_000_000])
    func fetch(size: Int) async throws {
      try await withTeam { directory, team, keep in
        var generator = SeededGenerator(seed: UInt64(size))
        let body = generator.bytes(size)
        let first = keep(try await Machine("first", of: team, in: directory))
        first.make(key, body)
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await second.awaits(key))
        let (found, statistics) = try await second.find(key)
        #expect(found == body)
        #expect(statistics.hits == [.peers: 1] && statistics.bytes == [.peers: Int64(size)])
        #expect(statistics.peers == [first.identifier.description: .init(name: "first", hits: 1, bytes: Int64(size))])
        #expect(await eventually { second.store.contains(key) })
        let again = try await second.find(key)
        #expect(again.body == body && again.statistics.hits == [.local: 1], "it is here now")
        let report = try #require(await second.network.report().first)
        #expect(report.name == "first" && report.identifier == first.identifier.description)
        #expect(report.fetchedHits == 1 && report.fetchedBytes == UInt64(size))
      }
    }

    @Test("hear of what is made, both ways, and of nothing else")
    func news() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await second.awaits(peers: 1))
        #expect(await first.awaits(peers: 1), "who was dialled dials back")
        first.make(key, [1])
        second.make(other, [2])
        #expect(await second.awaits(key))
        #expect(await first.awaits(other))
        #expect(!first.network.layer.mayHold(key) && !second.network.layer.mayHold(CacheKey(test: 3)))
        let nothing = try await second.lookup(CacheKey(test: 3))
        #expect(nothing == nil)
        #expect(try await first.find(other).body == [2])
      }
    }

    @Test("pass on what they have fetched")
    func passedOn() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        first.make(key, [1])
        #expect(await second.awaits(key))
        #expect(try await second.find(key).body == [1])
        await first.network.stop()
        let third = keep(try await Machine("third", of: team, in: directory, peers: [second]))
        #expect(await third.awaits(key))
        #expect(try await third.find(key).body == [1])
      }
    }

    @Test("that have another secret meet nobody")
    func otherSecret() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        first.make(key, [1])
        let stranger = keep(try await Machine("stranger", of: Team(), in: directory, peers: [first]))
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await second.awaits(key))
        #expect(await first.awaits(peers: 1))
        #expect(await stranger.network.report().isEmpty && !stranger.network.layer.mayHold(key))
        let found = try await stranger.lookup(key)
        #expect(found == nil)
      }
    }

    @Test("do not see what a user made outside of the team")
    func privateEntries() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        let own = try CacheStore(directory: first.store.directory, maxSize: 1 << 30)
        own.put(key, [7])
        first.make(other, [1])
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await second.awaits(other))
        #expect(!second.network.layer.mayHold(key))
        let found = try await second.lookup(key)
        #expect(found == nil)
      }
    }

    @Test("do not get what is damaged", arguments: [100, 100_000, 5_000_000])
    func damaged(size: Int) async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        first.make(key, [UInt8](repeating: 1, count: size))
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await second.awaits(key))
        for file in Files.all(below: first.store.directory) where try Files.size(file) >= UInt64(size) {
          var bytes = try Files.read(file)
          bytes[bytes.count - 10] ^= 1
          try Files.write(bytes, to: file)
        }
        let found = try await second.lookup(key)
        #expect(found == nil && second.store.lookup(key) == nil)
      }
    }

    // MARK: - Consent

    @Test("get nothing before the user has said yes, nor after a no")
    func consent() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory, consent: .notifyOnce))
        first.make(key, [1])
        first.make(other, [2])
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await eventually { await second.network.report().first?.answer == "pending" })
        #expect(!second.network.layer.mayHold(key))
        #expect(await eventually { first.asked == ["second 127.0.0.1"] || first.asked == ["second ::1"] })
        #expect(first.records.consent(of: second.identifier)?.consent == .pending)

        try first.records.setConsent(.always, of: second.identifier)
        #expect(await second.awaits(key))
        #expect(try await second.find(key).body == [1])

        try first.records.setConsent(.denied, of: second.identifier)
        let refused = try await second.lookup(other)
        #expect(refused == nil)
        #expect(await second.awaits(other, isHeld: false))
        #expect(first.asked.count == 1)
      }
    }

    // MARK: - Coming and going

    @Test("that stop are missed at once, and nobody waits for them")
    func stopped() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        for number in 0..<20 { first.make(CacheKey(test: number), [UInt8(number)]) }
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await second.awaits(CacheKey(test: 19)))
        for number in 0..<10 {
          #expect(try await second.find(CacheKey(test: number)).body == [UInt8(number)])
        }
        await first.network.stop()
        for number in 10..<20 {
          let found = try await second.lookup(CacheKey(test: number))
          #expect(found == nil || found == [UInt8(number)])
        }
        #expect(await second.awaits(CacheKey(test: 19), isHeld: false))
        #expect(await second.awaits(peers: 0))
      }
    }

    @Test("that start anew, at another port, are found again")
    func restarted() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        first.make(key, [1])
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        #expect(await second.awaits(key))
        #expect(await first.awaits(peers: 1))
        await first.network.stop()
        #expect(await second.awaits(key, isHeld: false))
        let again = keep(try await Machine("first", of: team, in: directory))
        #expect(again.identifier == first.identifier && again.port != first.port)
        #expect(await second.awaits(key))
        #expect(try await second.find(key).body == [1])
      }
    }

    @Test("that met before find each other again by themselves")
    func remembered() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        let second = keep(try await Machine("second", of: team, in: directory, peers: [first]))
        first.make(key, [1])
        #expect(await second.awaits(key))
        await second.network.stop()
        let address = second.records.sighting(of: first.identifier)?.address
        #expect(address?.hasSuffix(":\(first.port)") == true)
        let again = keep(try await Machine("second", of: team, in: directory))
        #expect(await again.awaits(key))
      }
    }

    @Test("that are stopped are not there any more, and may be stopped again")
    func stoppedTwice() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        let port = try #require(Int(first.port))
        await first.network.stop()
        await first.network.stop()
        await #expect(throws: (any Error).self) {
          _ = try await SecureClient.ask("x\n", port: port, key: [UInt8](repeating: 0, count: 32))
        }
        #expect(Files.all(below: directory.appending("first/rendezvous")).isEmpty)
      }
    }

    // MARK: - One machine

    @Test("find each other without a network when they are one machine, and need no consent")
    func rendezvous() async throws {
      try await withTeam { directory, team, keep in
        let meeting = directory.appending("meeting")
        // An interface that is not there: nothing but the directory is left.
        let first = keep(
          try await Machine(
            "first", of: team, in: directory, consent: .notifyOnce, interfaces: ["none0"], meeting: meeting))
        first.make(key, [1])
        let second = keep(
          try await Machine(
            "first", of: team, in: directory, consent: .notifyOnce, interfaces: ["none0"], storeName: "other",
            meeting: meeting))
        #expect(second.identifier == first.identifier)
        #expect(try Files.permissions(meeting) == 0o1777)
        #expect(await second.awaits(key))
        #expect(try await second.find(key).body == [1])
        #expect(first.asked.isEmpty)
        for machine in [first, second] { await machine.network.stop() }
        #expect(Files.all(below: meeting).isEmpty)
      }
    }

    @Test("say what is going on")
    func status() async throws {
      try await withTeam { directory, team, keep in
        let first = keep(try await Machine("first", of: team, in: directory))
        let fields = first.network.statusFields
        #expect(fields["id"] == first.identifier.description && fields["name"] == "first")
        #expect(fields["port"].flatMap { UInt16($0) } ?? 0 > 0)
        first.make(key, [1])
        #expect(first.network.statusFields["entries"] == "1")
        #expect(await first.network.report().isEmpty)
        #expect(!fields.values.contains { $0.contains(team.secret.text) })
      }
    }
  }
}
