import BuildRecords
import CacheStore
import Glibc
import LayeredCache
import NIOCore
import Synchronization
import SystemSupport

/// The builds that use this server, and which of them a tool belongs to.
final class LeaseRegistry: Sendable {
  struct Lease: Sendable {
    /// Random, chosen by the launcher.
    let id: String
    /// The launcher; every tool of the build descends from it.
    let process: pid_t
    /// How long the server stays after this lease, if it was the last.
    let linger: Duration
    let account: StatisticsAccount
    /// Build tools that its command usually runs, by their names.
    var tools: Set<String> = []
    /// Where what its tools asked for is kept for the next build like it; nil: nowhere.
    var plan: CacheKey?
    /// What is known of the build at its beginning; nil: nobody wants to know what it asked for.
    var record: BuildRecord?
  }

  private let leases = Mutex<[Lease]>([])
  private let stray = Mutex(Stray())

  /// What tools did that belong to no build.
  private struct Stray {
    var account = StatisticsAccount()
    var lastUse = NIODeadline.distantPast
  }

  /// What comes after such a pause is taken for another build, which may wait for other layers anew.
  private static let strayPause = TimeAmount.seconds(30)
  private let processes: any ProcessTable
  private let now: @Sendable () -> NIODeadline

  /// - Parameter now: the clock, for tests.
  init(processes: any ProcessTable, now: @escaping @Sendable () -> NIODeadline = { .now() }) {
    self.processes = processes
    self.now = now
  }

  private var unattributed: StatisticsAccount {
    stray.withLock { stray in
      let now = now()
      if now - stray.lastUse > Self.strayPause { stray.account = StatisticsAccount() }
      stray.lastUse = now
      return stray.account
    }
  }

  func contains(id: String) -> Bool { leases.withLock { leases in leases.contains { $0.id == id } } }

  var count: Int { leases.withLock { $0.count } }

  var all: [Lease] { leases.withLock { $0 } }

  func open(_ lease: Lease) {
    leases.withLock { $0.append(lease) }
  }

  func close(id: String) {
    leases.withLock { $0.removeAll { $0.id == id } }
  }

  /// The account of a lease by its id; without one, that of the only lease, or of the only one whose command usually
  /// runs the tool: what a tool's daemon asks for carries no lease, since it outlives builds.
  func account(lease id: String?, tool: String? = nil) -> StatisticsAccount {
    leases.withLock { leases in
      if let lease = leases.first(where: { $0.id == id }) { return lease.account }
      if leases.count == 1 { return leases[0].account }
      let likely = leases.filter { lease in tool.map(lease.tools.contains) == true }
      return likely.count == 1 ? likely[0].account : unattributed
    }
  }

  /// The account of the build that a process belongs to. Its ancestors are looked at only when there are several
  /// builds.
  func account(process: pid_t) -> StatisticsAccount {
    let open = leases.withLock { $0 }
    guard open.count != 1 else { return open[0].account }
    guard !open.isEmpty, process > 0 else { return unattributed }
    let launcher = processes.firstAncestor(of: process) { ancestor in open.contains { $0.process == ancestor } }
    return open.first { $0.process == launcher }?.account ?? unattributed
  }
}
