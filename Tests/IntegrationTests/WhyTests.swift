import Foundation
import SystemSupport
import TestSupport
import Testing

/// `fabrik why`.
@Suite(.timeLimit(.minutes(3)))
struct WhyTests {
  private func json(_ sandbox: Sandbox, _ command: String) throws -> [String: Any] {
    let outcome = try sandbox.run("fabrik \(command) --json")
    #expect(outcome.exitStatus == 0, "\(outcome)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  /// The last build's.
  private func reasons(_ sandbox: Sandbox) throws -> [[String: Any]] {
    let build = try #require((try json(sandbox, "why")["builds"] as? [[String: Any]])?.first)
    return try #require(build["reasons"] as? [[String: Any]])
  }

  private func outcomes(_ steps: Any?) -> [String] {
    (steps as? [[String: Any]])?.map { "\($0["layer"] ?? ""): \($0["outcome"] ?? "")" } ?? []
  }

  /// The steps of the first lookup of a key in the last build that asked for it.
  private func steps(_ sandbox: Sandbox, of key: String) throws -> [String] {
    let keys = try json(sandbox, "why \(key)")["keys"] as? [[String: Any]]
    let build = (keys?.first?["builds"] as? [[String: Any]])?.first
    return outcomes((build?["of_key"] as? [[String: Any]])?.first?["steps"])
  }

  @Test func `before any build there is nothing to say`() throws {
    let sandbox = try Sandbox()
    for command in ["why", "why --builds"] {
      let outcome = try sandbox.run("fabrik \(command)")
      #expect(outcome.exitStatus == 0 && outcome.output == "no build has asked for anything yet\n", "\(outcome)")
    }
    let outcome = try sandbox.run("fabrik why ccache/0123456789")
    #expect(outcome.output.contains("none of the last builds has asked for it"))
    #expect(outcome.output.contains("the local store does not have it"))
  }

  @Test(arguments: ["xyz", "12345", "ccache/", "a/b/c"])
  func `what is no key is an error`(key: String) throws {
    let outcome = try Sandbox().run("fabrik why \(key)")
    #expect(outcome.exitStatus == 125 && outcome.output.isEmpty, "\(outcome)")
  }

  @Test func `a build's misses are shown by their reasons, and a key with its way in each build`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 3).write(to: sandbox, directory: "p")
    for round in 1...2 {
      let outcome = try sandbox.run("cd p && fabrik exec -- make -s && make -s clean")
      #expect(outcome.errors.contains(round == 1 ? "6 misses" : "0 misses"), "\(outcome)")
    }
    let list = try sandbox.run("fabrik why --builds").output.split(separator: "\n")
    #expect(list.count == 3 && list[1].contains("make -s") && list[1].hasSuffix("\(sandbox.path)/work/p"))
    let last = try sandbox.run("fabrik why").output
    #expect(last.contains("6 lookups, 6 hits, 0 misses"), "\(last)")

    let first = try sandbox.run("fabrik why --build 2").output
    #expect(first.contains("6 lookups, 0 hits, 6 misses") && first.contains("local     does not have it"), "\(first)")
    let key = try #require(first.firstMatch(of: /ccache\/[0-9a-f]+/)).output
    for pattern in [
      String(key), String(key.dropFirst(7)), String(key.dropFirst(7).prefix(8)),
      String(key.prefix(15)).uppercased().replacing("CCACHE", with: "ccache"),
    ] {
      let text = try sandbox.run("fabrik why \(pattern)").output
      let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      #expect(lines.first == String(key), "\(text)")
      #expect(lines.count { $0.hasPrefix("hit after ") } == 1 && lines.count { $0.hasPrefix("miss after ") } == 1)
      #expect(lines.contains("local     has it") && lines.contains("local     does not have it"))
      #expect(lines.contains("then      the build has made and stored it") && lines.contains("peers     off"))
      #expect(lines.last == "now: the local store has it")
    }
  }

  @Test func `what is gone from the local store is said to have been there`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    try sandbox.run("cd p && fabrik exec -- make -s && make -s clean && fabrik cache clear && fabrik exec -- make -s")
    #expect(try reasons(sandbox).map { outcomes($0["steps"]) } == [["local: removed"]])
  }

  @Test func `a build that is running can be asked about`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    try sandbox.run(
      "cd p && fabrik exec -- sh -c 'make -s && fabrik why --json > ../why.json && fabrik why > ../why.txt'")
    let text = try String(contentsOfFile: "\(sandbox.path)/work/why.txt", encoding: .utf8)
    #expect(text.contains(", running  sh -c") && text.contains("4 misses"), "\(text)")
    #expect(try !sandbox.run("fabrik why").output.contains("running"))
    let builds = try json(sandbox, "why --builds")["builds"] as? [[String: Any]]
    #expect(builds?.count == 1 && builds?.first?["state"] as? String == "ended")
  }

  @Test func `upstreams are named with what they answered`() throws {
    let sandbox = try Sandbox()
    // Nobody listens there.
    sandbox.environment["FABRIK_UPSTREAM"] = "http://127.0.0.1:9/cache"
    try CProject(files: 2).write(to: sandbox, directory: "p")
    try sandbox.run("cd p && fabrik exec -- make -s && make -s clean && fabrik cache clear")
    let kinds = try reasons(sandbox).map { outcomes($0["steps"]).last }
    // The first question may have been one that no tool waited for.
    #expect(kinds.contains("regional: suspended"), "\(kinds)")
    #expect(Set(kinds).isSubset(of: ["regional: failed", "regional: suspended"]))
    let text = try sandbox.run("fabrik why").output
    #expect(text.contains("regional  http://127.0.0.1:9/cache: "))
    #expect(text.contains("-> 'fabrik doctor' tries the upstreams out"), "\(text)")
    try sandbox.run("cd p && fabrik exec --no-upstream -- make -s")
    #expect(try reasons(sandbox).map { outcomes($0["steps"]).last } == ["regional: excluded"])
  }

  @Test func `peers are named with what they said`() throws {
    let secret = PeerMachine.makeSecret()
    let owner = try PeerMachine(secret: secret, consent: "notify-once", name: "owner")
    let asker = try PeerMachine(secret: secret, peers: [try owner.port], name: "asker")
    try eventually("the asker knows the owner") {
      (try asker.json("p2p list")["peers"] as? [[String: Any]])?.contains { $0["answer"] as? String == "pending" }
        == true
    }
    let project = CProject(files: 2)
    _ = try asker.build(project, in: "p")
    #expect(try reasons(asker.sandbox).map { outcomes($0["steps"]) } == [["local: absent", "peers: alone"]])
    var text = try asker.sandbox.run("fabrik why").output
    #expect(text.contains("no peer lets this machine fetch (owner: consent pending)"), "\(text)")
    #expect(text.contains("-> on the other machine, let this one in"))
    try owner.approve("asker")
    try eventually("the asker is let in") {
      (try asker.json("p2p list")["peers"] as? [[String: Any]])?.contains { $0["answer"] as? String == "allowed" }
        == true
    }
    try asker.sandbox.run("fabrik cache clear")
    _ = try asker.build(project, in: "p")
    text = try asker.sandbox.run("fabrik why").output
    let key = try #require(text.firstMatch(of: /ccache\/[0-9a-f]+/)).output
    #expect(text.contains("peers     1 peer, which does not have it"), "\(text)")
    #expect(try reasons(asker.sandbox).map { outcomes($0["steps"]) } == [["local: removed", "peers: unheld"]])

    // Or from the asker, which lets everybody in.
    _ = try owner.build(project, in: "p")
    try eventually("the asker knows what the owner holds") {
      ((try asker.json("p2p list")["peers"] as? [[String: Any]])?.first?["entries"] as? Int ?? 0) >= 4
    }
    try asker.sandbox.run("fabrik cache clear")
    #expect(try asker.build(project, in: "p")["hits.peers"] == 4)
    #expect(try steps(asker.sandbox, of: String(key)) == ["peers: hit"])
  }

  @Test func `the records are the user's alone, and few`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("int x;\n", to: "x.c")
    for number in 0..<12 { try sandbox.run("fabrik exec -- gcc -DN=\(number) -DTOKEN=hunter2 -c x.c") }
    try sandbox.waitForServersToEnd()
    let place = "\(sandbox.path)/home/.local/state/fabrik/builds"
    let outcome = try sandbox.run("stat -c %a \(place) \(place)/* | sort | uniq -c; grep -rl hunter2 \(place)")
    #expect(
      outcome.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) } == ["10 600", "1 700"])
    sandbox.environment["XDG_STATE_HOME"] = "\(sandbox.path)/state"
    try sandbox.run("fabrik exec -- gcc -c x.c")
    #expect(try sandbox.run("fabrik why --builds").output.split(separator: "\n").count == 2)
  }

  @Test func `a build that asked for nothing is not remembered`() throws {
    let sandbox = try Sandbox()
    try sandbox.run("fabrik exec -- true")
    #expect(try sandbox.run("fabrik why").output == "no build has asked for anything yet\n")
  }
}
