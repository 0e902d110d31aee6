import PeerRecords
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A machine's identity")
struct MachineIdentityTests {
  private func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(Array(hex.utf8))) }

  @Test("is an Ed25519 key pair")
  func vector() throws {
    // The first test vector of RFC 8032.
    let identity = try MachineIdentity(
      seed: bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    #expect(Hex.encode(identity.publicKey) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    let signature = try identity.sign([])
    #expect(
      Hex.encode(signature) == """
        e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe\
        24655141438e7a100b
        """)
    #expect(MachineIdentity.verify(signature, of: [], by: identity.publicKey))
    // The first half of the key's SHA-256 digest.
    #expect(identity.identifier.description == "21fe31dfa154a261626bf854046fd227")
  }

  @Test("signs what nobody else can sign")
  func signatures() throws {
    let identity = try MachineIdentity(seed: [UInt8](repeating: 1, count: 32))
    let other = try MachineIdentity(seed: [UInt8](repeating: 2, count: 32))
    let message = Array("a message".utf8)
    let signature = try identity.sign(message)
    #expect(MachineIdentity.verify(signature, of: message, by: identity.publicKey))
    #expect(!MachineIdentity.verify(signature, of: message + [0], by: identity.publicKey))
    #expect(!MachineIdentity.verify(signature, of: message, by: other.publicKey))
    for index in [0, 31, 32, 63] {
      var changed = signature
      changed[index] ^= 1
      #expect(!MachineIdentity.verify(changed, of: message, by: identity.publicKey))
    }
    #expect(!MachineIdentity.verify([], of: message, by: identity.publicKey))
    #expect(!MachineIdentity.verify(signature + [0], of: message, by: identity.publicKey))
    #expect(!MachineIdentity.verify(signature, of: message, by: []))
    #expect(!MachineIdentity.verify(signature, of: message, by: [UInt8](repeating: 0xff, count: 32)))
  }

  @Test("is made once, and kept for this user alone")
  func once() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("data").appending("identity")
      let first = try MachineIdentity(file: file)
      #expect(try Files.permissions(file) == 0o600)
      #expect(try Files.permissions(file.removingLastComponent()) == 0o700)
      #expect(Files.all(below: directory) == [file])
      let again = try MachineIdentity(file: file)
      #expect(again.publicKey == first.publicKey && again.identifier == first.identifier)
      let other = try MachineIdentity(file: directory.appending("other"))
      #expect(other.identifier != first.identifier)
    }
  }

  @Test("is one and the same when several make it at the same moment")
  func race() async throws {
    try await withTemporaryDirectory { directory in
      for round in 0..<20 {
        let file = directory.appending("\(round)").appending("identity")
        let identifiers = try await withThrowingTaskGroup(of: String.self) { group in
          for _ in 0..<8 { group.addTask { try MachineIdentity(file: file).identifier.description } }
          return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(identifiers.count == 1)
        #expect(Files.all(below: file.removingLastComponent()) == [file])
      }
    }
  }

  @Test(
    "that is damaged is not replaced, but said to be damaged",
    arguments: ["", "\n", "0123", String(repeating: "x", count: 64), String(repeating: "AB", count: 32)])
  func damaged(text: String) throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("identity")
      try Files.write(text, to: file)
      let problem = try #require(throws: MachineIdentity.Damaged.self) { try MachineIdentity(file: file) }
      #expect("\(problem)".contains(file.string) && "\(problem)".contains("remove"))
      #expect(try Files.read(file) == Array(text.utf8))
    }
  }

  @Test("that cannot be kept is not used")
  func unkept() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("a file")
      try Files.write("", to: file)
      #expect(throws: Errno.notDirectory) { try MachineIdentity(file: file.appending("identity")) }
    }
  }
}
