import Synchronization

/// How many of something are under way: bodies on the wire, launchers' connections.
package final class ActivityCount: Sendable {
  private let count = Atomic<Int>(0)

  package init() {}

  package var current: Int { count.load(ordering: .relaxed) }

  package func begin() { count.add(1, ordering: .relaxed) }

  package func end() { count.subtract(1, ordering: .relaxed) }
}
