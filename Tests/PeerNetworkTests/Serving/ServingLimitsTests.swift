import NIOCore
import PeerRecords
import SystemSupport
import Testing

@testable import PeerNetwork

@Suite("What peers may take of this machine")
struct ServingLimitsTests {
  private let limits = ServingLimits()

  private func open(_ address: String, _ count: Int) -> Int {
    (0..<count).count { _ in limits.openConnection(from: address) }
  }

  private func peer(_ number: Int) -> PeerIdentifier {
    PeerIdentifier(Hex.encode([UInt8](repeating: UInt8(number), count: 16)))!
  }

  @Test("are so many connections from one address")
  func perAddress() {
    let most = ServingLimits.connectionsPerAddress
    #expect(open("10.0.0.1", most + 5) == most)
    #expect(open("10.0.0.2", 1) == 1)
    limits.closeConnection(from: "10.0.0.1")
    #expect(open("10.0.0.1", 2) == 1)
    for _ in 0..<most { limits.closeConnection(from: "10.0.0.1") }
    #expect(open("10.0.0.1", most + 1) == most)
  }

  @Test("are so many connections altogether")
  func connections() {
    let opened = (0..<1000).map { open("10.0.\($0 / 200).\($0 % 200)", 1) }.reduce(0, +)
    #expect(opened == ServingLimits.connections)
    limits.closeConnection(from: "10.0.0.0")
    #expect(open("10.1.0.0", 2) == 1)
  }

  @Test("are so many bodies at once")
  func transfers() {
    let peers = (0..<20).map { peer($0) }
    #expect((0..<100).count { limits.beginTransfer(for: peers[$0 % 20]) } == ServingLimits.transfers)
    limits.endTransfer(for: peers[0])
    #expect((0..<2).count { _ in limits.beginTransfer(for: peers[1]) } == 1)
  }

  @Test("are not all the bodies at once for one machine")
  func transfersPerPeer() {
    let most = ServingLimits.transfersPerPeer
    #expect((0..<100).count { _ in limits.beginTransfer(for: peer(1)) } == most)
    #expect((0..<100).count { _ in limits.beginTransfer(for: peer(2)) } == most)
    limits.endTransfer(for: peer(1))
    #expect((0..<2).count { _ in limits.beginTransfer(for: peer(1)) } == 1)
    for _ in 0..<most { limits.endTransfer(for: peer(1)) }
    #expect((0..<100).count { _ in limits.beginTransfer(for: peer(1)) } == most)
  }

  @Test("are so many bytes per second, after a first burst")
  func rate() {
    var now = NIODeadline.now() + .hours(1)
    let piece = 1_000_000
    func send() -> TimeAmount { limits.delay(of: piece, now: now) }
    #expect((0..<16).allSatisfy { _ in send() == .zero })
    let delay = send()
    #expect(delay > .zero && delay < .milliseconds(5))
    // Whoever keeps to the delays sends at the rate.
    let begin = now
    for _ in 0..<1024 { now = now + send() }
    let seconds = Double((now - begin).nanoseconds) / 1e9
    #expect(abs(Double(1024 * piece) / seconds / Double(ServingLimits.uploadRate) - 1) < 0.01)
    now = now + .seconds(60)
    #expect((0..<16).allSatisfy { _ in send() == .zero }, "a new burst, and no more for a long pause")
    #expect(send() > .zero)
  }

  @Test("are only for who is on the local network, where this machine wants to be asked")
  func remotes() throws {
    func address(_ text: String) throws -> InternetAddress { try #require(InternetAddress(text)) }
    func isServed(_ remote: String, at local: String = "10.0.0.1", of addresses: Set<String>? = nil) throws -> Bool {
      PeerListener.isServed(
        remote: try address(remote), local: try address(local),
        try addresses.map { Set(try $0.map { try address($0) }) })
    }
    for remote in [
      "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "127.0.0.1", "::1", "fd00::1",
    ] {
      #expect(try isServed(remote), "\(remote)")
    }
    for remote in [
      "8.8.8.8", "11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.64.0.1", "0.0.0.0", "2001:db8::1", "::",
      "::ffff:8.8.8.8", "2002:a00:1::1", "255.255.255.255", "224.0.0.251",
    ] {
      #expect(try !isServed(remote), "\(remote)")
    }
    #expect(try isServed("::ffff:10.0.0.2"))
    #expect(try isServed("10.0.0.2", at: "10.0.0.1", of: ["10.0.0.1"]))
    #expect(try isServed("10.0.0.2", at: "::ffff:10.0.0.1", of: ["10.0.0.1"]))
    #expect(try !isServed("10.0.0.2", at: "10.0.0.3", of: ["10.0.0.1"]))
    #expect(try !isServed("10.0.0.2", at: "10.0.0.1", of: []))
    #expect(try !PeerListener.isServed(remote: address("10.0.0.2"), local: nil, [address("10.0.0.1")]))
    #expect(PeerListener.isServed(remote: nil, local: nil, []), "over a Unix socket")
  }
}
