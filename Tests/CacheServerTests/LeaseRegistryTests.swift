import LayeredCache
import NIOCore
import Synchronization
import SystemSupport
import Testing

@testable import CacheServer

@Suite("Which build a tool belongs to")
struct LeaseRegistryTests {
  /// Each process is the child of the one that it is mapped to.
  private struct Processes: ProcessTable {
    let parents: [CInt: CInt]

    func parent(of process: CInt) -> CInt? { parents[process] }
  }

  private final class Clock: Sendable {
    let time = Mutex(NIODeadline.uptimeNanoseconds(1_000_000_000_000))

    func advance(_ amount: TimeAmount) { time.withLock { $0 = $0 + amount } }
  }

  private let clock = Clock()

  private func registry(_ leases: LeaseRegistry.Lease..., parents: [CInt: CInt] = [:]) -> LeaseRegistry {
    let registry = LeaseRegistry(processes: Processes(parents: parents)) { [clock] in clock.time.withLock { $0 } }
    for lease in leases { registry.open(lease) }
    return registry
  }

  private func lease(_ id: String, process: CInt = 1, tools: Set<String> = []) -> LeaseRegistry.Lease {
    .init(id: id, process: process, linger: .zero, account: StatisticsAccount(), tools: tools)
  }

  @Test("is said by the lease it names, as long as that is open")
  func named() {
    let (one, two) = (lease("a"), lease("b"))
    let registry = registry(one, two)
    #expect(registry.account(lease: "a") === one.account && registry.account(lease: "b") === two.account)
    #expect(registry.contains(id: "a") && !registry.contains(id: "c") && registry.count == 2)
    registry.close(id: "a")
    #expect(registry.account(lease: "a") === two.account, "there is only one left")
    #expect(!registry.contains(id: "a") && registry.all.map(\.id) == ["b"])
  }

  @Test("without a lease is the only one, or the only one that usually runs the tool")
  func unnamed() {
    let (one, two) = (lease("a", tools: ["bazel", "ccache"]), lease("b", tools: ["ccache"]))
    #expect(registry(one).account(lease: nil) === one.account)
    let both = registry(one, two)
    #expect(both.account(lease: nil, tool: "bazel") === one.account)
    let nobody = both.account(lease: nil, tool: "ccache")
    #expect(nobody !== one.account && nobody !== two.account)
    #expect(both.account(lease: nil, tool: "gradle") === nobody && both.account(lease: nil) === nobody)
  }

  @Test("is said by its ancestors, where there are several builds")
  func ancestors() {
    let (one, two) = (lease("a", process: 10), lease("b", process: 20))
    let both = registry(one, two, parents: [12: 11, 11: 10, 21: 20, 31: 30, 30: 1])
    #expect(both.account(process: 12) === one.account && both.account(process: 21) === two.account)
    #expect(both.account(process: 20) === two.account, "the launcher itself")
    for process: CInt in [31, 99, 0, -1] {
      let account = both.account(process: process)
      #expect(account !== one.account && account !== two.account)
    }
    #expect(registry(one).account(process: 99) === one.account, "with one build nobody is asked")
  }

  @Test("is another one, when it belongs to none, after a pause")
  func strayPause() {
    let registry = registry()
    let first = registry.account(lease: nil)
    for _ in 0..<5 {
      clock.advance(.seconds(29))
      #expect(registry.account(process: 7) === first)
    }
    clock.advance(.seconds(31))
    let second = registry.account(lease: nil)
    #expect(second !== first && registry.account(lease: nil) === second)
  }
}
