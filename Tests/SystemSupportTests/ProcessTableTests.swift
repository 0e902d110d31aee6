import Glibc
import SystemSupport
import Testing

/// Parents by child.
private struct FakeTable: ProcessTable {
  let parents: [pid_t: pid_t]

  func parent(of process: pid_t) -> pid_t? { parents[process] }
}

@Suite("Ancestors of a process")
struct ProcessTableTests {
  private static let table = FakeTable(parents: [40: 30, 30: 20, 20: 1, 7: 8, 8: 7])

  @Test(
    "are searched from the process itself up to init's children",
    arguments: [(40, 20, 20), (40, 40, 40), (40, 30, 30), (20, 30, nil), (40, 1, nil), (99, 20, nil), (7, 20, nil)]
      as [(pid_t, pid_t, pid_t?)])
  func firstAncestor(process: pid_t, wanted: pid_t, found: pid_t?) {
    #expect(Self.table.firstAncestor(of: process) { $0 == wanted } == found)
  }

  @Test("are what the system says")
  func system() {
    #expect(LinuxProcessTable().parent(of: getpid()) == getppid())
    #expect(LinuxProcessTable().parent(of: 1) == 0)
    #expect(LinuxProcessTable().parent(of: -5) == nil)
  }
}
