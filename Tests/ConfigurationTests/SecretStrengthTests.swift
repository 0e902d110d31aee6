import SystemSupport
import TestSupport
import Testing

@testable import Configuration

@Suite("A team's secret")
struct SecretStrengthTests {
  @Test("made by a program is good", arguments: 0..<20)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    #expect(SecretStrength.flaw(in: Hex.encode(bytes)) == nil)
    #expect(SecretStrength.flaw(in: Hex.encode(Array(bytes[..<16]))) == nil)
    #expect(SecretStrength.flaw(in: String(TeamSecretGenerator.encode(bytes))) == nil)
  }

  @Test(
    "made by a person is not",
    arguments: [
      "passwordpassword", "P@ssw0rd!P@ssw0rd!", "Password1234567890", "abcdefghijklmnopqrstuvwxyz",
      "0123456789abcdefghij",
      "zyxwvutsrqponmlkjihgfedcba", "qwertyuiopasdfghjklzxcvbnm"[...].prefix(20).description, "letmeinletmeinletmein",
      "correct-horse-battery-staple", "my-company-secret-2026", "changeme changeme changeme",
      "abababababababababababababab",
      "11111111111111111111111111", "a1b2c3a1b2c3a1b2c3a1b2c3a1b2c3", "ääääääääääääääääääääää",
      "team-secret-fabrik-cache",
    ])
  func human(secret: String) {
    #expect(SecretStrength.flaw(in: secret)?.hasPrefix("is easy to guess") == true, "\(secret)")
  }

  @Test("has a length within bounds")
  func length() {
    #expect(SecretStrength.flaw(in: "k9Zq7Tr2mVx4Lp8") == "is shorter than 16 characters")
    #expect(SecretStrength.flaw(in: String(repeating: "x", count: 1025)) == "is longer than 1024 bytes")
  }

  @Test("made here is 43 characters of base64url, another each time")
  func generator() {
    let secrets = Set((0..<50).map { _ in TeamSecretGenerator.make() })
    #expect(secrets.count == 50)
    for secret in secrets {
      #expect(secret.utf8.count == 43 && SecretStrength.flaw(in: secret) == nil)
      #expect(secret.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
    }
  }

  @Test("is encoded as RFC 4648 has it, without padding")
  func encoding() {
    let vectors = [
      ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
      ("foobar", "Zm9vYmFy"),
    ]
    for (bytes, text) in vectors { #expect(TeamSecretGenerator.encode(Array(bytes.utf8)) == text) }
    #expect(TeamSecretGenerator.encode([0xfb, 0xff, 0xfe]) == "-__-")
  }
}

@Suite("The address of a peer in the configuration")
struct PeerAddressTests {
  @Test(
    "is one of a local network, with a port",
    arguments: [
      "10.0.0.2:4711", "127.0.0.1:1", "192.168.255.255:65535", "172.16.0.1:2", "172.31.9.9:2", "169.254.1.1:3",
      "[::1]:4711", "[fe80::1%eth0]:4711", "[fe80::1]:4", "[fd12:3456::1]:5", "[::ffff:10.0.0.1]:6",
    ])
  func good(text: String) {
    #expect(PeerAddress.flaw(in: text) == nil)
  }

  @Test(
    "is nothing else",
    arguments: [
      ("10.0.0.2", "has no port; write for example 10.0.0.2:4711"),
      ("::1", "has no port; write for example 10.0.0.2:4711"),
      ("", "has no port; write for example 10.0.0.2:4711"), ("10.0.0.2:0", "has no port from 1 to 65535"),
      ("10.0.0.2:", "has no port from 1 to 65535"), ("10.0.0.2:65536", "has no port from 1 to 65535"),
      ("10.0.0.2:+5", "has no port from 1 to 65535"), ("desk.local:1", "is not an IP address; names are not looked up"),
      ("10.0.0:1", "is not an IP address; names are not looked up"),
      ("[fe80::1%]:1", "is not an IP address; names are not looked up"),
      ("[10.0.0.2%eth0]:1", "is not an IP address; names are not looked up"),
      ("8.8.8.8:1", "is not an address of a local network"), ("172.32.0.1:1", "is not an address of a local network"),
      ("0.0.0.0:1", "is not an address of a local network"), ("224.0.0.1:1", "is not an address of a local network"),
      ("[2001:db8::1]:1", "is not an address of a local network"), ("[::]:1", "is not an address of a local network"),
      ("[::ffff:8.8.8.8]:1", "is not an address of a local network"),
    ])
  func bad(text: String, flaw: String) {
    #expect(PeerAddress.flaw(in: text) == flaw)
  }
}
