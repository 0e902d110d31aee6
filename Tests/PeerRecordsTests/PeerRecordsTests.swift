import Glibc
import Synchronization
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerRecords

/// A peer's identifier that ends with a number.
func peer(_ number: Int) -> PeerIdentifier {
  let digits = String(number, radix: 16)
  return PeerIdentifier(String(repeating: "0", count: 32 - digits.count) + digits)!
}

/// A clock that a test sets.
final class TestClock: Sendable {
  private let time = Atomic<UInt64>(1_700_000_000_000)

  func now() -> UInt64 { time.load(ordering: .relaxed) }
  func advance(days: UInt64) { time.add(days * 86_400_000, ordering: .relaxed) }
}

@Suite("What is known of peers")
struct PeerRecordsTests {
  private let clock = TestClock()

  private func withRecords(_ body: (PeerRecords, FilePath) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let place = directory.appending("data/peers")
      try body(PeerRecords(directory: place, now: clock.now), place)
    }
  }

  @Test("is nothing at first, and asking makes nothing")
  func empty() throws {
    try withRecords { records, place in
      #expect(records.consent(of: peer(1)) == nil && records.sighting(of: peer(1)) == nil && records.all().isEmpty)
      try records.forget(peer(1))
      #expect(!FileSystem.exists(place))
    }
  }

  @Test("is for its owner alone")
  func permissions() throws {
    try withRecords { records, place in
      try records.setConsent(.always, of: peer(1))
      #expect(try Files.permissions(place) == 0o700)
      #expect(try Files.permissions(place.appending("\(peer(1))/consent")) == 0o600)
    }
  }

  @Test("comes back, each answer with the time it was given", arguments: Consent.allCases)
  func consent(consent: Consent) throws {
    try withRecords { records, place in
      try records.setConsent(consent, of: peer(1))
      let expected = ConsentRecord(consent: consent, since: clock.now())
      #expect(records.consent(of: peer(1)) == expected)
      #expect(records.consent(of: peer(1)) == expected)
      #expect(PeerRecords(directory: place, now: clock.now).consent(of: peer(1)) == expected)
      #expect(records.consent(of: peer(2)) == nil)
    }
  }

  @Test("is seen at once when another process changes it")
  func change() throws {
    try withTemporaryDirectory { directory in
      let (server, command) = (PeerRecords(directory: directory), PeerRecords(directory: directory))
      for round in 0..<200 {
        let consent: Consent = round % 2 == 0 ? .always : .denied
        try command.setConsent(consent, of: peer(1))
        #expect(server.consent(of: peer(1))?.consent == consent)
      }
      try command.forget(peer(1))
      #expect(server.consent(of: peer(1)) == nil)
    }
  }

  @Test("is not read again while it has not changed")
  func cached() throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      // As seen from a time at which the file is old.
      let records = PeerRecords(directory: directory, now: { 4_000_000_000_000 })
      try PeerRecords(directory: directory, now: clock.now).setConsent(.always, of: peer(1))
      #expect(records.consent(of: peer(1))?.consent == .always)
      // The same inode, size and time, with other words: only a reader would notice.
      let file = directory.appending("\(peer(1))/consent")
      let status = try FileSystem.status(file)
      let descriptor = try FileDescriptor.open(file, .writeOnly)
      try descriptor.closeAfter { _ = try descriptor.writeAll("consent answer=denied".utf8) }
      try Files.setModificationTime(status.st_mtim, of: file)
      #expect(records.consent(of: peer(1))?.consent == .always)
      #expect(PeerRecords(directory: directory).consent(of: peer(1))?.consent == .denied)
    }
  }

  @Test(
    "counts as nothing when a file is damaged", arguments: ["", "nonsense", "consent answer=maybe since=1", "\u{0}"])
  func damaged(text: String) throws {
    try withRecords { records, place in
      try Files.write(text, to: place.appending("\(peer(1))/consent"))
      try Files.write(text, to: place.appending("\(peer(1))/seen"))
      try Files.write("x", to: place.appending("not-a-peer/consent"))
      #expect(records.consent(of: peer(1)) == nil && records.sighting(of: peer(1)) == nil && records.all().isEmpty)
      try records.setConsent(.denied, of: peer(1))
      #expect(records.consent(of: peer(1))?.consent == .denied)
    }
  }

  @Test("a request waits for an answer, and changes none")
  func request() throws {
    try withRecords { records, _ in
      #expect(records.request(peer(1)))
      #expect(records.consent(of: peer(1))?.consent == .pending)
      try records.setConsent(.denied, of: peer(1))
      #expect(records.request(peer(1)))
      #expect(records.consent(of: peer(1))?.consent == .denied)
    }
  }

  @Test("a request that nobody answers is dropped after a week; an answer stays")
  func expiry() throws {
    try withRecords { records, _ in
      #expect(records.request(peer(1)))
      try records.setConsent(.always, of: peer(2))
      clock.advance(days: 7)
      #expect(records.consent(of: peer(1)) != nil)
      clock.advance(days: 1)
      #expect(records.consent(of: peer(1)) == nil)
      #expect(records.consent(of: peer(2)) != nil)
      #expect(records.request(peer(1)))
      #expect(records.consent(of: peer(1)) == ConsentRecord(consent: .pending, since: clock.now()))
    }
  }

  @Test("so many may wait and no more, until some are answered or dropped")
  func pendingBound() throws {
    try withRecords { records, _ in
      for number in 1...PeerRecords.mostPending { #expect(records.request(peer(number))) }
      #expect(!records.request(peer(1000)))
      #expect(records.consent(of: peer(1000)) == nil)
      #expect(records.request(peer(1)), "it waits already")
      try records.setConsent(.always, of: peer(1))
      #expect(records.request(peer(1000)))
      clock.advance(days: 8)
      #expect(records.request(peer(1001)))
    }
  }

  @Test("a request that cannot be written is not one")
  func unwritable() throws {
    try withTemporaryDirectory { directory in
      try Files.write("", to: directory.appending("file"))
      let records = PeerRecords(directory: directory.appending("file/peers"))
      #expect(!records.request(peer(1)))
      records.record(PeerSighting(name: "n", address: "a", lastSeen: 1), of: peer(1))
      #expect(records.all().isEmpty)
    }
  }

  @Test("a sighting comes back as it was noted")
  func sighting() throws {
    try withRecords { records, _ in
      let sighting = PeerSighting(
        name: "Büro 2", address: "[fe80::1%eth0]:4711", team: "0123456789abcdef", lastSeen: 5, fetchedHits: 1,
        fetchedBytes: .max, servedHits: 3, servedBytes: 4, answer: .pending)
      records.record(sighting, of: peer(7))
      #expect(records.sighting(of: peer(7)) == sighting)
      #expect(records.consent(of: peer(7)) == nil)
      try records.setConsent(.once, of: peer(3))
      let all = records.all()
      #expect(all.map { $0.0 } == [peer(3), peer(7)])
      #expect(all.map { $0.1?.consent } == [.once, nil])
      #expect(all.map { $0.2 } == [nil, sighting])
      try records.forget(peer(7))
      #expect(records.all().map { $0.0 } == [peer(3)])
    }
  }

  @Test("is bounded: the peers not seen for longest make room, answers stay")
  func bound() throws {
    try withRecords { records, place in
      try records.setConsent(.denied, of: peer(0))
      for number in 1..<PeerRecords.mostRecords {
        records.record(PeerSighting(name: "n", address: "", lastSeen: UInt64(10_000 - number)), of: peer(number))
      }
      records.record(PeerSighting(name: "new", address: "", lastSeen: 1), of: peer(5000))
      #expect(records.all().count == PeerRecords.mostRecords)
      #expect(records.sighting(of: peer(PeerRecords.mostRecords - 1)) == nil)
      #expect(records.sighting(of: peer(1)) != nil)
      #expect(records.sighting(of: peer(5000)) != nil)
      #expect(records.consent(of: peer(0)) != nil)
    }
  }
}

@Suite("A peer's identifier")
struct PeerIdentifierTests {
  @Test("is 32 lower-case hexadecimal digits, and nothing else")
  func grammar() {
    let text = "0123456789abcdef0123456789abcdef"
    #expect(PeerIdentifier(text)?.description == text)
    #expect(PeerIdentifier(text)?.short == "01234567")
    for wrong in [
      "", "..", String(text.dropLast()), text + "0", text.uppercased(), "g" + text.dropFirst(), "../" + text,
    ] {
      #expect(PeerIdentifier(wrong) == nil, "\(wrong)")
    }
  }
}
