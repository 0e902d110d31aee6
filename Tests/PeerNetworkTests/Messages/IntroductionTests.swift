import PeerRecords
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A machine's introduction")
struct IntroductionTests {
  private static let exporter = [UInt8](repeating: 4, count: 32)
  private let identity: MachineIdentity

  init() throws {
    identity = try MachineIdentity(seed: [UInt8](repeating: 7, count: 32))
  }

  private func head(
    _ role: ChannelSecurity.Role = .client, name: String = "workshop", instance: String = "0123456789abcdef",
    exporter: [UInt8] = exporter, identity: MachineIdentity? = nil
  ) throws -> MessageHead {
    try .request(
      "/v1/status",
      Introduction.fields(
        of: identity ?? self.identity, instance: instance, name: name, port: 4711, role: role, exporter: exporter))
  }

  @Test("says who it is, which server, what it is called and where it listens", arguments: ["client", "server"])
  func right(role: String) throws {
    let role = try #require(ChannelSecurity.Role(rawValue: role))
    let peer = try #require(Introduction(try head(role), role: role, exporter: Self.exporter))
    #expect(peer.publicKey == identity.publicKey && peer.identifier == identity.identifier)
    #expect(peer.instance == "0123456789abcdef" && peer.name == "workshop" && peer.port == 4711)
  }

  @Test("is worth nothing in the other role, or on another channel")
  func relayed() throws {
    #expect(Introduction(try head(.client), role: .server, exporter: Self.exporter) == nil, "sent back")
    #expect(Introduction(try head(.server), role: .client, exporter: Self.exporter) == nil)
    var other = Self.exporter
    other[31] ^= 1
    #expect(Introduction(try head(), role: .client, exporter: other) == nil, "passed on")
  }

  @Test("is worth nothing with another machine's key or proof")
  func stolen() throws {
    let thief = try MachineIdentity(seed: [UInt8](repeating: 8, count: 32))
    let (own, theirs) = (try head(), try head(identity: thief))
    for field in ["fabrik-identity", "fabrik-proof"] {
      var mixed = own
      mixed.fields[field] = theirs[field]
      #expect(Introduction(mixed, role: .client, exporter: Self.exporter) == nil)
    }
  }

  @Test("is worth nothing when a part is missing or malformed")
  func malformed() throws {
    for field in ["fabrik-identity", "fabrik-proof", "fabrik-instance"] {
      for value in [nil, "", "00", "zz", String(repeating: "0", count: 63), String(repeating: "A", count: 16)] {
        var head = try head()
        head.fields[field] = value
        #expect(Introduction(head, role: .client, exporter: Self.exporter) == nil, "\(field): \(value ?? "none")")
      }
    }
  }

  @Test("may leave out its name and port")
  func optional() throws {
    for value in [nil, "zz", "-1", "65536"] {
      var head = try head()
      head.fields["fabrik-name"] = value
      head.fields["fabrik-port"] = value
      let peer = try #require(Introduction(head, role: .client, exporter: Self.exporter))
      #expect(peer.name == DisplayText.name("") && peer.port == 0)
    }
  }

  @Test(
    "carries any name through fields of plain text, and cleans it",
    arguments: ["Mücke", "a\r\nb: c", "机器", "\u{202e}x", "\u{9b}31m", ""])
  func names(name: String) throws {
    let head = try head(name: name)
    #expect(head.fields.values.allSatisfy { $0.utf8.allSatisfy { (33...126).contains($0) } })
    #expect(Introduction(head, role: .client, exporter: Self.exporter)?.name == DisplayText.name(name))
  }

  @Test("cuts a name that is too long, whoever wrote it")
  func longName() throws {
    let name = String(repeating: "n", count: 1000)
    #expect(
      Introduction(try head(name: name), role: .client, exporter: Self.exporter)?.name.unicodeScalars.count
        == DisplayText.longestName)
    var head = try head()
    head.fields["fabrik-name"] = Hex.encode([UInt8](repeating: 65, count: 1000))
    #expect(
      Introduction(head, role: .client, exporter: Self.exporter)?.name.unicodeScalars.count == DisplayText.longestName)
  }
}
