import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How many of something are under way: bodies on the wire, launchers' connections.
package final class ActivityCount: Sendable {
  private let count = Atomic<Int>(0)
  /// Nanoseconds of the monotonic clock.
  private let ended = Atomic<Int64>(0)

  package init() {}

  package var current: Int { count.load(ordering: .relaxed) }

  /// How long nothing has been under way; since the machine's start if nothing ever was.
  package var idleTime: Duration {
    current > 0 ? .zero : .nanoseconds(Self.now - ended.load(ordering: .relaxed))
  }

  package func begin() { count.add(1, ordering: .relaxed) }

  package func end() {
    ended.store(Self.now, ordering: .relaxed)
    count.subtract(1, ordering: .relaxed)
  }

  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
