import Glibc
import SystemSupport
import TestSupport
import Testing

@Suite("Internet addresses")
struct InternetAddressTests {
  @Test(
    "are written the usual way",
    arguments: [
      ("10.0.0.2", "10.0.0.2"), ("255.255.255.255", "255.255.255.255"), ("0.0.0.0", "0.0.0.0"), ("::1", "::1"),
      ("FE80::1", "fe80::1"), ("fd00:0:0:0::0a", "fd00::a"), ("::ffff:10.0.0.2", "::ffff:10.0.0.2"),
      ("fe80::1%lo", "fe80::1%lo"), ("fe80::1%1", "fe80::1%lo"), ("fe80::1%4000000000", "fe80::1%4000000000"),
    ])
  func texts(text: String, canonical: String) throws {
    let address = try #require(InternetAddress(text))
    #expect(address.description == canonical)
    #expect(InternetAddress(canonical) == address)
  }

  @Test(
    "are nothing else",
    arguments: [
      "", "localhost", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ", "10.0.0.1\0", "10.0.0.1:80", "[::1]", "::1::",
      "fe80::1%", "fe80::1%0", "fe80::1%nothing", "fe80::1%lo\0", "::1%lo", "10.0.0.1%lo", "fe80::1%lo%lo",
    ])
  func notAddresses(text: String) {
    #expect(InternetAddress(text) == nil)
  }

  @Test(
    "of the local network",
    arguments: [
      "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "169.254.0.0",
      "169.254.255.255", "127.0.0.0", "127.255.255.255", "::1", "fe80::", "febf:ffff::", "fc00::", "fdff:ffff::",
      "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    ])
  func local(text: String) throws {
    #expect(try #require(InternetAddress(text)).isLocalNetwork)
  }

  @Test(
    "of other networks",
    arguments: [
      "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "169.253.255.255",
      "169.255.0.0", "126.255.255.255", "128.0.0.0", "0.0.0.0", "224.0.0.251", "::", "::2", "fe7f:ffff::", "fec0::",
      "fbff::", "fe00::", "2001:db8::1", "ff02::fb", "::ffff:8.8.8.8", "::10.0.0.1", "::fffe:10.0.0.1",
    ])
  func other(text: String) throws {
    #expect(!(try #require(InternetAddress(text)).isLocalNetwork))
  }

  @Test(
    "of the host itself",
    arguments: [("127.0.0.1", true), ("::1", true), ("::ffff:127.0.0.1", true), ("10.0.0.1", false)])
  func loopback(text: String, isLoopback: Bool) throws {
    #expect(try #require(InternetAddress(text)).isLoopback == isLoopback)
  }

  @Test("come back from the socket addresses they make", arguments: ["10.0.0.2", "::1", "fd00::17", "fe80::1%7"])
  func socketAddresses(text: String) throws {
    let address = try #require(InternetAddress(text))
    let (copy, port) = address.withSocketAddress(port: 0x1234) { pointer, length in
      #expect(Int(length) == (address.family == .ipv4 ? 16 : 28))
      return (InternetAddress(pointer), UnsafeRawPointer(pointer).load(fromByteOffset: 2, as: UInt16.self))
    }
    #expect(copy == address)
    #expect(port == UInt16(0x1234).bigEndian)
  }

  @Test("are not read from socket addresses of other kinds")
  func otherFamily() {
    var address = sockaddr()
    address.sa_family = sa_family_t(AF_UNIX)
    #expect(InternetAddress(&address) == nil)
  }

  @Test("have 4 or 16 bytes")
  func bytes() {
    var generator = SeededGenerator(seed: 1)
    for count in 0...20 {
      let bytes = generator.bytes(count)
      #expect(InternetAddress(bytes: bytes)?.bytes == ([4, 16].contains(count) ? bytes : nil))
    }
  }

  @Test("keep a scope only where it means something")
  func scopes() throws {
    let global = try #require(InternetAddress("fd00::1"))
    #expect(InternetAddress(bytes: global.bytes, scope: 3) == global)
    let linkLocal = try #require(InternetAddress("fe80::1"))
    #expect(InternetAddress(bytes: linkLocal.bytes, scope: 3)?.scope == 3)
    #expect(InternetAddress(bytes: linkLocal.bytes, scope: 3) != linkLocal)
  }
}
