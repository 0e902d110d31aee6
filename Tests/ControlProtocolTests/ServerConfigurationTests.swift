import ControlProtocol
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@Suite("What a server is configured with")
struct ServerConfigurationTests {
  private let settings = PeerSettings(
    secret: Secret("k9Zq 7Tr2=mVx4%Lp8ü"), consent: .alwaysAllow, addresses: ["10.0.0.2:4711", "[fe80::1%eth0]:1"],
    port: 4711, interfaces: ["eth0", "wlan0"], name: "Büro 2")

  private func sent(_ configuration: ServerConfiguration) throws -> ServerConfiguration? {
    let message = try #require(ControlMessage(line: configuration.message.encoded.dropLast()))
    return ServerConfiguration(message: message)
  }

  @Test("arrives as it was sent")
  func roundTrip() throws {
    let configuration = ServerConfiguration(
      peers: settings, dataDirectory: "/home/ä b/.local/share/fabrik", sessionBus: "unix:path=/run/user/1/bus,guid=1")
    #expect(try sent(configuration) == configuration)
    #expect(try sent(ServerConfiguration()) == ServerConfiguration())
    let plain = ServerConfiguration(peers: PeerSettings(secret: Secret("s"), name: ""))
    #expect(try sent(plain) == plain)
  }

  @Test("is off when the message is another, and careful where it is damaged")
  func damaged() {
    #expect(ServerConfiguration(message: ControlMessage("lease")) == nil)
    let odd = ControlMessage("configure", ["secret": "s", "consent": "x", "port": "99999", "addresses": ",,a,"])
    #expect(
      ServerConfiguration(message: odd)?.peers == PeerSettings(secret: Secret("s"), addresses: ["a"], name: ""))
  }

  @Test("fits into a pipe, however much is configured")
  func size() {
    let largest = PeerSettings(
      secret: Secret(String(repeating: "ü", count: 512)),
      addresses: (0..<64).map { "[fe80::\($0)%interface00]:65535" },
      interfaces: (0..<16).map { "interface\($0)" }, name: String(repeating: "漢", count: 64))
    #expect(ServerConfiguration(peers: largest, dataDirectory: "/data").message.encoded.count < 8192)
  }

  @Test("does not show its secret")
  func redaction() {
    var dumped = ""
    dump(settings, to: &dumped)
    for text in [dumped, "\(settings)", String(reflecting: settings), "\(settings.secret)"] {
      #expect(!text.contains("k9Zq"))
    }
    #expect("\(settings.secret)" == "<redacted>")
  }
}

@Suite("The salt of an instance's name")
struct InstanceSaltTests {
  @Test("is made once, for its owner alone, and found again")
  func stable() throws {
    try withTemporaryDirectory { directory in
      let data = directory.appending("data")
      let salt = try InstanceSalt.find(in: data)
      #expect(salt.utf8.count == 32)
      #expect(try InstanceSalt.find(in: data) == salt)
      #expect(try InstanceSalt.find(in: directory) != salt)
      #expect(try Files.permissions(data.appending("salt")) == 0o600)
      #expect(try FileSystem.entries(of: data) == ["salt"])
    }
  }

  @Test("is made anew when it is damaged", arguments: ["", "short\n"])
  func damaged(text: String) throws {
    try withTemporaryDirectory { directory in
      try Files.write(text, to: directory.appending("salt"))
      let salt = try InstanceSalt.find(in: directory)
      #expect(try InstanceSalt.find(in: directory) == salt)
    }
  }

  @Test("is an error where it cannot be kept")
  func unwritable() throws {
    #expect(throws: (any Error).self) { try InstanceSalt.find(in: "/proc/nowhere") }
  }
}
