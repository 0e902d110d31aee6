import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// Two users' machines with one secret.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct PeerTests {
  private let secret = PeerMachine.makeSecret()
  private let project = CProject(files: 8)

  private func machine(
    _ name: String, with ccache: InstalledCCache = .system, peers: [UInt16] = [], consent: String = "always-allow"
  ) throws -> PeerMachine {
    try PeerMachine(secret: secret, peers: peers, consent: consent, name: name, sandbox: Sandbox(ccache: ccache))
  }

  @Test(arguments: InstalledCCache.allCases)
  func `what one has built the other fetches, once it may`(ccache: InstalledCCache) throws {
    let owner = try machine("owner", with: ccache, consent: "notify-once")
    #expect(try owner.build(project, in: "p")["stored"] == 16)
    try owner.put(1, Array("shared".utf8))
    let asker = try machine("asker", with: ccache, peers: [owner.port])
    try owner.awaitRequest(of: "asker")
    let refused = try asker.build(project, in: "refused", "--no-peers")
    #expect(refused["hits.peers"] == 0)
    #expect(try asker.get(1) == nil)
    _ = try asker.sandbox.run("fabrik cache clear")
    try owner.approve("asker")
    try eventually("the asker may fetch") { try asker.get(1) == Array("shared".utf8) }
    let fetched = try asker.build(project, in: "elsewhere/q")
    #expect(fetched["lookups"] == 16)
    #expect(fetched["hits.peers"] == 16)
    #expect(fetched["misses"] == 0)
    #expect(try asker.objects("elsewhere/q") == owner.objects("p"))
    let plain = try asker.sandbox.run("cp -r elsewhere/q plain && cd plain && make -s clean && make -s && ./program")
    #expect(plain.output == "8 files\n")
    #expect(try asker.objects("plain") == asker.objects("elsewhere/q"))
    try owner.expectSound()
    try asker.expectSound()
  }

  @Test func `a build goes on without what its peer refuses`() throws {
    let owner = try machine("owner", consent: "notify-once")
    _ = try owner.build(project, in: "p")
    let asker = try machine("asker", peers: [owner.port])
    try owner.awaitRequest(of: "asker")
    for answer in ["pending", "denied"] {
      if answer == "denied" { _ = try owner.sandbox.run("fabrik p2p deny asker") }
      let built = try asker.build(project, in: answer)
      #expect(built["hits.peers"] == 0)
      #expect(built["misses"] == 16)
      #expect(try asker.objects(answer) == owner.objects("p"))
      _ = try asker.sandbox.run("fabrik cache clear")
    }
  }

  @Test func `a no takes effect at once, in the middle of a build`() throws {
    let owner = try machine("owner", consent: "notify-once")
    for number in 1...2 { try owner.put(number, [UInt8(number)]) }
    let asker = try machine("asker", peers: [owner.port])
    try owner.awaitRequest(of: "asker")
    try owner.approve("asker")
    try eventually("the asker may fetch") { try asker.get(1) == [1] }
    _ = try owner.sandbox.run("fabrik p2p deny asker")
    #expect(try asker.get(2) == nil)
  }

  @Test func `machines of another team do not meet`() throws {
    let owner = try machine("owner")
    try owner.put(1, [1])
    let stranger = try PeerMachine(secret: PeerMachine.makeSecret(), peers: [owner.port], name: "stranger")
    let member = try machine("member", peers: [owner.port])
    try eventually("a member fetches") { try member.get(1) == [1] }
    #expect(try stranger.get(1) == nil)
    #expect(try stranger.json("p2p list")["peers"] as? [String] == [])
    #expect(try !owner.sandbox.run("fabrik p2p list").output.contains("stranger"))
  }

  @Test func `what was built outside of the team stays there, even for who knows its key`() throws {
    let sandbox = try Sandbox()
    let alone = try RunningServer(sandbox)
    let connection = try Connection(port: alone.port)
    try connection.send(alone.head("PUT", RunningServer.path(1), ["Content-Length": "1"]) + "x")
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
    try sandbox.endServers()
    _ = try sandbox.run("rm -r $XDG_RUNTIME_DIR/fabrik")
    let owner = try PeerMachine(secret: secret, name: "owner", sandbox: sandbox)
    try owner.put(2, [2])
    let attacker = HostileClient(secret: secret, port: try owner.port, sandbox: sandbox)
    #expect(try attacker.run("everything", key: 1)["/v1/entries/\(PeerMachine.key(1))"] == "404")
    #expect(try attacker.run("everything", key: 2)["/v1/entries/\(PeerMachine.key(2))"] == "200 1 bytes")
    #expect(try owner.get(1) == Array("x".utf8), "it is the owner's own, for a build of the team as well")
  }
}
