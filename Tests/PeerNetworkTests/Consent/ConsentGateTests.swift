import ControlProtocol
import Synchronization
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork
@testable import PeerRecords

@Suite("Whether a peer is served")
struct ConsentGateTests {
  private static let modes: [ConsentMode] = [.notifyOnce, .notifyAlways, .alwaysAllow]
  private static let peer = PeerIdentifier(String(repeating: "ab", count: 16))!
  private static let own = PeerIdentifier(String(repeating: "cd", count: 16))!

  /// A gate, the records behind it, the time, and the questions that were asked.
  private final class Bench: Sendable {
    let records: PeerRecords
    let gate: ConsentGate
    private let time: Time
    private let questions: Questions

    /// Later than any file was written: what was written long ago is not read again.
    private final class Time: Sendable { let now = Mutex<UInt64>(4_000_000_000_000) }
    private final class Questions: Sendable { let list = Mutex<[String]>([]) }

    init(_ mode: ConsentMode, _ directory: FilePath) {
      let (time, questions) = (Time(), Questions())
      let now: @Sendable () -> UInt64 = { time.now.withLock { $0 } }
      records = PeerRecords(directory: directory, now: now)
      gate = ConsentGate(mode: mode, records: records, own: own, now: now) { peer, name, address in
        questions.list.withLock { $0.append("\(peer.short) \(name) \(address)") }
      }
      (self.time, self.questions) = (time, questions)
    }

    var asked: [String] { questions.list.withLock { $0 } }

    func pass(milliseconds: UInt64) { time.now.withLock { $0 += milliseconds } }

    /// The verdict on a request that comes a millisecond later.
    func verdict(_ peer: PeerIdentifier = peer) -> ConsentGate.Verdict {
      pass(milliseconds: 1)
      return gate.verdict(on: peer, name: "workshop", address: "10.0.0.2")
    }

    /// The verdict on the question what there is.
    func poll() -> ConsentGate.Verdict {
      gate.verdict(on: peer, name: "workshop", address: "10.0.0.2", isUse: false)
    }

    /// The user says something, a millisecond later.
    func say(_ consent: Consent, _ peer: PeerIdentifier = peer) throws {
      pass(milliseconds: 1)
      try records.setConsent(consent, of: peer)
    }

    func beginSession() { pass(milliseconds: ConsentGate.sessionGap) }
  }

  private func withBench(_ mode: ConsentMode, _ body: (Bench) throws -> Void) throws {
    try withTemporaryDirectory { try body(Bench(mode, $0.appending("peers"))) }
  }

  @Test(
    "is asked once in a session; until there is an answer it is not",
    arguments: [ConsentMode.notifyOnce, .notifyAlways])
  func asked(mode: ConsentMode) throws {
    try withBench(mode) { bench in
      for _ in 0..<5 { #expect(bench.verdict() == .pending) }
      #expect(bench.asked == ["abababab workshop 10.0.0.2"])
      #expect(bench.records.consent(of: Self.peer)?.consent == .pending, "for those who answer by command")
      bench.beginSession()
      for _ in 0..<5 { #expect(bench.verdict() == .pending) }
      #expect(bench.asked.count == 2)
    }
  }

  @Test("follows what the user says, at once")
  func immediate() throws {
    for mode in [ConsentMode.notifyOnce, .notifyAlways] {
      try withBench(mode) { bench in
        #expect(bench.verdict() == .pending)
        for consent in [Consent.once, .denied, .always, .denied, .once] {
          try bench.say(consent)
          #expect(bench.verdict() == (consent == .denied ? .denied : .allowed))
        }
        try bench.records.forget(Self.peer)
        #expect(bench.verdict() == .pending)
        #expect(bench.asked.count == 1)
      }
    }
  }

  @Test("is denied for ever, and not asked again", arguments: Self.modes)
  func denied(mode: ConsentMode) throws {
    try withBench(mode) { bench in
      try bench.say(.denied)
      #expect(bench.verdict() == .denied)
      bench.pass(milliseconds: 365 * 86_400_000)
      #expect(bench.verdict() == .denied)
      #expect(bench.asked.isEmpty)
    }
  }

  @Test("with notify-once: a yes for ever is one")
  func alwaysOnce() throws {
    try withBench(.notifyOnce) { bench in
      try bench.say(.always)
      for _ in 0..<3 {
        #expect(bench.verdict() == .allowed)
        bench.beginSession()
      }
      bench.pass(milliseconds: 365 * 86_400_000)
      #expect(bench.verdict() == .allowed)
      #expect(bench.asked.isEmpty)
    }
  }

  @Test("with notify-always: any yes is for one session")
  func alwaysAlways() throws {
    try withBench(.notifyAlways) { bench in
      try bench.say(.always)
      bench.beginSession()
      #expect(bench.verdict() == .pending, "of an earlier session")
      #expect(bench.asked.count == 1)
      try bench.say(.always)
      #expect(bench.verdict() == .allowed)
      bench.beginSession()
      #expect(bench.verdict() == .pending)
      #expect(bench.asked.count == 2)
    }
  }

  @Test("once is for one session, however long it is", arguments: [ConsentMode.notifyOnce, .notifyAlways])
  func once(mode: ConsentMode) throws {
    try withBench(mode) { bench in
      #expect(bench.verdict() == .pending)
      try bench.say(.once)
      for _ in 0..<20 {
        #expect(bench.verdict() == .allowed)
        bench.pass(milliseconds: ConsentGate.sessionGap - 10)
      }
      bench.beginSession()
      #expect(bench.verdict() == .pending)
      #expect(bench.asked.count == 2)
      #expect(bench.records.consent(of: Self.peer)?.consent == .pending)
    }
  }

  @Test("once is for no longer than a day's work, without a pause as well")
  func longestSession() throws {
    try withBench(.notifyOnce) { bench in
      #expect(bench.verdict() == .pending)
      try bench.say(.once)
      var time: UInt64 = 0
      while time < ConsentGate.longestSession - ConsentGate.sessionGap {
        #expect(bench.verdict() == .allowed)
        bench.pass(milliseconds: ConsentGate.sessionGap / 2)
        time += ConsentGate.sessionGap / 2
      }
      for _ in 0..<3 {
        bench.pass(milliseconds: ConsentGate.sessionGap / 2)
        _ = bench.verdict()
      }
      #expect(bench.verdict() == .pending)
      #expect(bench.asked.count == 2)
    }
  }

  @Test("with always-allow it always is, unless the user has said no")
  func alwaysAllow() throws {
    try withBench(.alwaysAllow) { bench in
      #expect(bench.verdict() == .allowed)
      #expect(bench.records.consent(of: Self.peer) == nil)
      for consent in [Consent.pending, .once, .always] {
        try bench.say(consent)
        bench.beginSession()
        #expect(bench.verdict() == .allowed)
      }
      #expect(bench.asked.isEmpty)
    }
  }

  @Test("is not asked for another server of this machine", arguments: Self.modes)
  func own(mode: ConsentMode) throws {
    try withBench(mode) { bench in
      #expect(bench.verdict(Self.own) == .allowed)
      #expect(bench.asked.isEmpty && bench.records.all().isEmpty)
    }
  }

  @Test("is asked for a limited number of peers; beyond it nobody is bothered")
  func limit() throws {
    try withBench(.notifyOnce) { bench in
      for number in 0..<66 {
        let digits = Hex.encode([UInt8](repeating: 0, count: 15) + [UInt8(number)])
        #expect(bench.verdict(try #require(PeerIdentifier(digits))) == .pending)
      }
      #expect(bench.asked.count == 64 && bench.records.all().count == 64)
      #expect(bench.verdict() == .pending)
      try bench.say(.always)
      #expect(bench.verdict() == .allowed, "whom the user allows is served all the same")
    }
  }

  @Test("is asked anew when a question was left unanswered for a week")
  func expired() throws {
    try withBench(.notifyOnce) { bench in
      #expect(bench.verdict() == .pending)
      bench.pass(milliseconds: 8 * 86_400_000)
      #expect(bench.verdict() == .pending)
      #expect(bench.asked.count == 2)
      #expect(bench.records.consent(of: Self.peer)?.consent == .pending)
    }
  }

  @Test("is decided for each peer by itself")
  func peers() throws {
    try withBench(.notifyOnce) { bench in
      let other = try #require(PeerIdentifier(String(repeating: "ef", count: 16)))
      try bench.say(.always)
      try bench.say(.denied, other)
      #expect(bench.verdict() == .allowed && bench.verdict(other) == .denied)
    }
  }

  @Test("is not when what the user said cannot be read, or cannot be written")
  func damaged() throws {
    try withTemporaryDirectory { directory in
      let bench = Bench(.notifyOnce, directory)
      try Files.write("consent answer=alwayz since=1\n", to: directory.appending("\(Self.peer)/consent"))
      #expect(bench.verdict() == .pending)
      let file = directory.appending("a file")
      try Files.write("", to: file)
      let other = Bench(.notifyOnce, file)
      #expect(other.verdict() == .pending && other.asked.isEmpty)
    }
  }

  @Test("is remembered for a limited number of sessions")
  func sessions() throws {
    try withBench(.notifyOnce) { bench in
      #expect(bench.verdict() == .pending)
      try bench.say(.once)
      #expect(bench.verdict() == .allowed)
      for number in 0..<257 {
        let digits = Hex.encode([UInt8](repeating: 0, count: 14) + [UInt8(number >> 8), UInt8(number & 255)])
        try bench.say(.denied, #require(PeerIdentifier(digits)))
        _ = bench.verdict(try #require(PeerIdentifier(digits)))
      }
      bench.beginSession()
      #expect(bench.verdict() == .pending, "a forgotten session is over")
    }
  }

  @Test("asking what there is neither ends nor prolongs a session")
  func polling() throws {
    try withBench(.notifyOnce) { bench in
      #expect(bench.poll() == .pending)
      #expect(bench.asked.count == 1, "whoever connects wants something")
      try bench.say(.once)
      for _ in 0..<5 {
        bench.pass(milliseconds: ConsentGate.sessionGap / 4)
        #expect(bench.poll() == .allowed)
      }
      #expect(bench.verdict() == .pending, "nothing was fetched for ten minutes")
    }
  }
}
