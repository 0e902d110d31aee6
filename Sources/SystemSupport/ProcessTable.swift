package import Glibc
import SystemPackage

/// What the system knows of running processes.
package protocol ProcessTable: Sendable {
  /// The parent of a process; nil when there is no such process or the system does not say.
  func parent(of process: pid_t) -> pid_t?
}

extension ProcessTable {
  /// More generations than any build has; a bound against a table that changes while it is read.
  private var deepest: Int { 64 }

  /// The process itself, its parent, and so on, up to the first that satisfies the condition; nil when none does.
  package func firstAncestor(of process: pid_t, where condition: (pid_t) -> Bool) -> pid_t? {
    var current = process
    for _ in 0..<deepest {
      if condition(current) { return current }
      guard let parent = parent(of: current), parent > 1 else { return nil }
      current = parent
    }
    return nil
  }
}
