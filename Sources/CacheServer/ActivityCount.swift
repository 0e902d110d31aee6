import Synchronization

/// How many of something are under way: bodies on the wire, launchers' connections.
final class ActivityCount: Sendable {
  private let count = Atomic<Int>(0)

  var current: Int { count.load(ordering: .relaxed) }

  func begin() { count.add(1, ordering: .relaxed) }

  func end() { count.subtract(1, ordering: .relaxed) }
}
