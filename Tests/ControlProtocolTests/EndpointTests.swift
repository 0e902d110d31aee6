import ControlProtocol
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@Suite("The HTTP front end's address")
struct HTTPEndpointTests {
  private static let token = "0123456789abcdef0123456789abcdef"

  @Test("comes back from its text")
  func roundTrip() {
    let endpoint = HTTPEndpoint(port: 65535, token: Self.token)
    #expect(endpoint.text == "65535 \(Self.token)\n")
    #expect(HTTPEndpoint(text: endpoint.text) == endpoint)
  }

  @Test(
    "is refused when malformed",
    arguments: [
      "", "80", "80 short", "0 \(token)", "65536 \(token)", "-1 \(token)", "x \(token)", "80 \(token)0",
      "80 \(token) more", "\(token) 80",
    ])
  func malformed(text: String) {
    #expect(HTTPEndpoint(text: text) == nil)
  }

  @Test("has another token of 32 digits each time")
  func tokens() {
    let tokens = Set((0..<100).map { _ in HTTPEndpoint.newToken() })
    #expect(tokens.count == 100)
    #expect(tokens.allSatisfy { Hex.decode(Array($0.utf8))?.count == 16 })
  }
}

@Suite("A server's place")
struct ServerInstanceTests {
  private func directory(_ cache: FilePath, _ size: UInt64?, in runtime: RuntimeDirectory) -> FilePath {
    ServerInstance(runtime: runtime, parameters: .init(cacheDirectory: cache, maxSize: size)).directory
  }

  @Test("is the same for the same configuration, and another for any other")
  func stable() throws {
    try withTemporaryDirectory { temporary in
      let runtime = try RuntimeDirectory(environment: Environment(["XDG_RUNTIME_DIR": temporary.string]))
      let places = [
        directory("/a", nil, in: runtime), directory("/a", 5, in: runtime), directory("/a", 6, in: runtime),
        directory("/b", nil, in: runtime),
      ]
      #expect(Set(places).count == 4)
      #expect(directory("/a", 5, in: runtime) == places[1])
      #expect(places.allSatisfy { $0.removingLastComponent() == runtime.path })
    }
  }

  @Test("depends on the peers' settings, and tells nothing of the secret without the salt")
  func peers() throws {
    try withTemporaryDirectory { temporary in
      let runtime = try RuntimeDirectory(environment: Environment(["XDG_RUNTIME_DIR": temporary.string]))
      func place(_ peers: PeerSettings?, _ salt: String = "a") -> FilePath {
        ServerInstance(
          runtime: runtime, parameters: .init(cacheDirectory: "/a", maxSize: nil, peers: peers), salt: salt
        ).directory
      }
      let settings = PeerSettings(secret: Secret("s"), name: "n")
      var others = [settings, settings, settings, settings, settings, settings]
      others[0].secret = Secret("t")
      others[1].consent = .alwaysAllow
      others[2].addresses = ["a"]
      others[3].port = 1
      others[4].interfaces = ["a"]
      others[5].name = "m"
      #expect(place(settings) == place(settings))
      #expect(Set(others.map { place($0) } + [place(settings), place(settings, "b"), place(nil)]).count == 9)
    }
  }

  @Test("has sockets whose path fits into an address")
  func length() throws {
    try withTemporaryDirectory { temporary in
      try #require(temporary.length < 44, "the directory for temporary files has too long a path for this test")
      let deep = temporary.appending(String(repeating: "d", count: 46 - temporary.length - 1))
      try FileSystem.makeDirectories(deep)
      let runtime = try RuntimeDirectory(environment: Environment(["XDG_RUNTIME_DIR": deep.string]))
      // The longest that is accepted.
      #expect(runtime.path.length == 53)
      let instance = ServerInstance(runtime: runtime, parameters: .init(cacheDirectory: "/c", maxSize: nil))
      #expect(instance.path(of: .control).length <= 107)
      #expect(instance.path(of: .storageHelper).length <= 107)
      let lease = String(repeating: "0", count: 16)
      #expect(instance.buildDirectory(lease: lease).appending("sccache.sock").length <= 107)
    }
  }
}
