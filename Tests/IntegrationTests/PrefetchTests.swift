import Foundation
import SystemSupport
import TestSupport
import Testing

/// Builds whose results are fetched before their tools ask.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct PrefetchTests {
  private let secret = PeerMachine.makeSecret()
  private let project = CProject(files: 8)

  private func machine(_ name: String, with ccache: InstalledCCache, peers: [UInt16] = []) throws -> PeerMachine {
    try PeerMachine(secret: secret, peers: peers, name: name, sandbox: Sandbox(ccache: ccache))
  }

  /// Waits until so many entries are in the store, for a minute at most, and builds: by the same words on every
  /// machine.
  private static let command = """
    n=0
    while [ $(find $HOME/.cache/fabrik/v1/entries -type f | wc -l) -lt $ENTRIES ] && [ $n -lt 6000 ]; do
      n=$((n + 1)); sleep 0.01
    done
    make -s -j2
    """

  /// A build that begins when so many entries are in the store; returns the report.
  private func build(
    on machine: PeerMachine, when entries: Int = 0, _ flags: String = "", prefetch: String = "true"
  ) throws -> [String: Double] {
    try project.write(to: machine.sandbox, directory: "p")
    let outcome = try machine.sandbox.run(
      "cd p && timeout 120 fabrik exec --stats json \(flags) -- sh -c '\(Self.command)'",
      environment: ["ENTRIES": "\(entries)", "FABRIK_PREFETCH": prefetch])
    #expect(outcome.exitStatus == 0, "\(outcome)")
    return try report(outcome)
  }

  @Test(arguments: InstalledCCache.allCases)
  func `a machine that has never built a project has its objects before the compilers ask`(
    ccache: InstalledCCache
  ) throws {
    let owner = try machine("owner", with: ccache)
    #expect(try build(on: owner)["stored"] == 16)
    let asker = try machine("asker", with: ccache, peers: [owner.port])
    for round in 1...2 {
      // The objects and the plan.
      let fetched = try build(on: asker, when: 17)
      #expect(fetched["prefetched.entries"] == 16, "round \(round): \(fetched)")
      #expect(fetched["prefetched.used"] == 16)
      #expect(fetched["prefetched.bytes"] == fetched["bytes.peers"])
      #expect(fetched["lookups"] == 16)
      #expect(fetched["hits.peers"] == 16)
      #expect(fetched["hits.local"] == 0)
      #expect(try asker.objects("p") == owner.objects("p"))
      _ = try asker.sandbox.run("fabrik cache clear")
    }
    try owner.expectSound()
    try asker.expectSound()
  }

  @Test func `nothing is fetched ahead for a build that does not want it, or wants no peers`() throws {
    let owner = try machine("owner", with: .system)
    _ = try build(on: owner)
    try owner.put(1, [1])
    let asker = try machine("asker", with: .system, peers: [owner.port])
    try eventually("the asker may fetch") { try asker.get(1) == [1] }
    let alone = try build(on: asker, "--no-peers")
    #expect(alone["prefetched.entries"] == 0 && alone["misses"] == 16)
    _ = try asker.sandbox.run("fabrik cache clear")
    let asking = try build(on: asker, prefetch: "false")
    #expect(asking["prefetched.entries"] == 0 && asking["hits.peers"] == 16)
  }

  @Test func `a machine that has everything fetches nothing`() throws {
    let owner = try machine("owner", with: .system)
    _ = try build(on: owner)
    let asker = try machine("asker", with: .system, peers: [owner.port])
    _ = try build(on: asker, when: 17)
    let again = try build(on: asker)
    #expect(again["prefetched.entries"] == 0 && again["hits.local"] == 16)
  }
}
