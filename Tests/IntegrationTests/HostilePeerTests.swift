import Foundation
import SystemSupport
import TestSupport
import Testing

/// Members of the team, with its secret, that do not keep to the rules, and others who are none.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct HostilePeerTests {
  private let secret = PeerMachine.makeSecret()
  private let project = CProject(files: 6)

  // MARK: - Peers that are asked

  /// Modes of a hostile server that give a whole entry now and then.
  private static let givesSome: Set<String> = ["honest", "flood-changes"]
  /// Modes in which it never comes to be asked for an entry.
  private static let isNotAsked: Set<String> = [
    "stall", "stall-handshake", "headers-handshake", "flood", "flood-full", "garbage", "garbage-handshake",
  ]

  @Test(arguments: [
    "honest", "lie", "lie-size", "stall", "stall-handshake", "stall-request", "stall-body", "dribble", "creep",
    "reset", "headers", "headers-handshake", "flood", "flood-full", "flood-changes", "garbage", "garbage-handshake",
  ])
  func `a build beside a hostile peer succeeds, and nothing wrong is stored`(mode: String) throws {
    // What the hostile peer claims to hold is what the build will ask for.
    let model = try PeerMachine(secret: secret, name: "model")
    _ = try model.build(project, in: "p")
    let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
    for number in 1...3 { try model.put(number, large) }
    try model.end()
    let hostile = try HostilePeer(
      mode, ["--store", "\(model.sandbox.path)/home/.cache/fabrik"], secret: secret, in: model.sandbox)
    let port = try #require(UInt16(try hostile.wait(for: "ready")))
    let machine = try PeerMachine(secret: secret, peers: [port])
    try hostile.wait(for: Self.isNotAsked.contains(mode) ? "connected" : "claimed")
    let built = try machine.build(project, in: "q")
    // A ccache that has waited for too long asks no more, and a large body is waited for as long as its bytes come.
    let isWaitedFor = mode == "creep"
    if !isWaitedFor { #expect(built["lookups"] == 12) }
    if !Self.givesSome.contains(mode) { #expect(built["hits.peers"] == 0) }
    #expect(try machine.objects("q") == model.objects("p"))
    if Self.givesSome.contains(mode) {
      #expect(try machine.get(1) == large)
    } else if !isWaitedFor {
      for number in 1...3 { #expect(try machine.get(number) == nil) }
    }
    if !Self.isNotAsked.contains(mode) { try hostile.wait(for: "asked") }
    try machine.expectSound()
  }

  @Test func `beside hostile peers an honest one still gives`() throws {
    let owner = try PeerMachine(secret: secret, name: "owner")
    _ = try owner.build(project, in: "p")
    let modes = ["lie", "stall-request", "stall-body", "flood-full"]
    let hostile = try modes.map {
      try HostilePeer($0, ["--store", "\(owner.sandbox.path)/home/.cache/fabrik"], secret: secret, in: owner.sandbox)
    }
    let ports = try hostile.map { try #require(UInt16(try $0.wait(for: "ready"))) }
    let machine = try PeerMachine(secret: secret, peers: ports)
    try owner.put(1, [1])
    try eventually("the honest one is found") { try machine.get(1) == [1] }
    let built = try machine.build(project, in: "q")
    #expect((built["hits.peers"] ?? 0) > 0)
    #expect(try machine.objects("q") == owner.objects("p"))
    try machine.expectSound()
  }

  // MARK: - Peers that ask

  /// A machine that serves an object to a peer that keeps to the rules.
  private struct Served {
    let owner: PeerMachine
    let friend: PeerMachine
    let attacker: HostileClient

    init(secret: String, consent: String = "always-allow") throws {
      owner = try PeerMachine(secret: secret, consent: consent, name: "owner")
      try owner.put(1, Array("its bytes".utf8))
      friend = try PeerMachine(secret: secret, peers: [owner.port], name: "friend")
      if consent != "always-allow" {
        try owner.awaitRequest(of: "friend")
        try owner.approve("friend")
      }
      try eventually("the friend fetches") { [friend] in try friend.get(1) == Array("its bytes".utf8) }
      attacker = HostileClient(secret: secret, port: try owner.port, sandbox: owner.sandbox)
    }

    /// Expects that after an attack all is as before.
    func expectServing() throws {
      try owner.put(2, [2])
      try eventually("the friend fetches afterwards") { try friend.get(2) == [2] }
      try owner.expectSound()
    }
  }

  private let entry = "/v1/entries/\(PeerMachine.key(1))"

  @Test func `a request counts once, and on its own channel only`() throws {
    let served = try Served(secret: secret)
    #expect(
      try served.attacker.run("replay") == [
        "introduction": "200 allowed", "request": "200 9 bytes", "request again": "401",
        "request on another channel": "401", "introduction on another channel": "401",
      ])
    try served.expectServing()
  }

  @Test(arguments: ["relay", "relay-requests"])
  func `what is passed on by a third machine is worth nothing`(mode: String) throws {
    let served = try Served(secret: secret)
    let relay = try HostilePeer(
      mode, ["--to", "127.0.0.1:\(served.owner.port)"], secret: secret, in: served.owner.sandbox)
    let port = try #require(UInt16(try relay.wait(for: "ready")))
    let visitor = try PeerMachine(secret: secret, peers: [port], name: "visitor")
    #expect(try relay.wait(for: mode == "relay" ? "introduction passed on:" : "request passed on:") == "401")
    // By then it has come back, too, and been tried again.
    try eventually("another attempt") { try relay.lines.count { $0.hasPrefix("connected") } > 1 }
    let outcomes = try relay.lines.filter { $0.contains("passed on") }
    #expect(outcomes.allSatisfy { $0.hasSuffix(": 401") || $0.hasSuffix(": closed") }, "\(outcomes)")
    #expect(try visitor.sandbox.run("fabrik exec -- true").exitStatus == 0)
    try served.expectServing()
  }

  @Test func `a clock an hour off is told the time, and nothing else`() throws {
    let served = try Served(secret: secret)
    var expected: [String: String] = [:]
    for hour in [-3_600_000, 3_600_000] {
      expected["introduction off by \(hour)"] = "401"
      expected["introduction still off by \(hour)"] = "401"
      expected["introduction corrected"] = "200 allowed"
      expected["request off by \(hour)"] = "401"
      expected["request corrected"] = "200 9 bytes"
    }
    #expect(try served.attacker.run("skew") == expected)
    try served.expectServing()
  }

  @Test(arguments: ["unsigned", "early"])
  func `who does not say and prove who it is gets nothing`(attack: String) throws {
    let served = try Served(secret: secret)
    let results = try served.attacker.run(attack)
    #expect(results.count > 2)
    #expect(results.values.allSatisfy { $0 == "401" }, "\(results)")
    try served.expectServing()
  }

  @Test func `there is nothing to ask for but entries, the summary and the status`() throws {
    let served = try Served(secret: secret)
    let results = try served.attacker.run("traverse")
    #expect(results.count > 20)
    #expect(results.values.allSatisfy { $0 == "400" }, "\(results)")
    try served.expectServing()
  }

  @Test func `without the secret there is no channel`() throws {
    let served = try Served(secret: secret)
    #expect(try served.attacker.run("other-secret") == ["another secret": "refused", "no secret": "refused"])
    try served.expectServing()
  }

  @Test func `whom nobody has allowed learns only that`() throws {
    let served = try Served(secret: secret, consent: "notify-once")
    let file = "\(served.owner.sandbox.path)/identity"
    let named = try HostilePeer("identity", ["--identity", file], secret: secret, in: served.owner.sandbox)
    let identifier = try named.wait(for: "identity:")
    func ask() throws -> [String: String] { try served.attacker.run("everything", ["--identity", file]) }
    func expected(_ consent: String) -> [String: String] {
      [
        "introduction": "200 \(consent)", "/v1/status": "200 \(consent)", "/v1/summary": "403 \(consent)",
        "/v1/summary?since=1-1": "403 \(consent)", entry: "403 \(consent)",
      ]
    }
    #expect(try ask() == expected("pending"))
    #expect(try ask() == expected("pending"), "asking again is no answer")
    _ = try served.owner.sandbox.run("fabrik p2p deny \(identifier)")
    #expect(try ask() == expected("denied"))
    _ = try served.owner.sandbox.run("fabrik p2p approve \(identifier)")
    #expect(try ask()[entry] == "200 9 bytes")
    #expect(
      try served.attacker.run("everything")[entry] == "403 pending", "another machine of the same name is another")
    try served.expectServing()
  }

  @Test func `a crowd of machines does not fill the list of those who wait`() throws {
    let served = try Served(secret: secret, consent: "notify-once")
    #expect(try served.attacker.run("crowd") == ["500 machines": "403 pending"])
    let waiting = try #require(try served.owner.json("p2p pending")["peers"] as? [Any])
    #expect(waiting.count == 64)
    try served.expectServing()
  }

  @Test(arguments: ["many", "slowloris", "deaf"])
  func `who only takes up room gets little of it`(attack: String) throws {
    let served = try Served(secret: secret)
    try served.owner.put(3, [UInt8](repeating: 3, count: 3_000_000))
    let results = try served.attacker.run(attack, key: 3)
    switch attack {
    case "many":
      // The most from one address, of which the friend may have some.
      #expect(try #require(Int(results["channels"] ?? "")) <= 64)
    case "slowloris":
      #expect(try #require(Int(results["channels"] ?? "")) <= 64)
      #expect(results["ended"] == "100")
    default:
      #expect(results.count == 3)
      #expect(results.values.allSatisfy { $0 == "not read any more" }, "\(results)")
    }
    try served.expectServing()
  }
}
