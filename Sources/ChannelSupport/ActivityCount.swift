import NIOCore
import Synchronization

/// How many of something are under way: bodies on the wire, launchers' connections.
package final class ActivityCount: Sendable {
  private let count = Atomic<Int>(0)
  /// Nanoseconds of the monotonic clock.
  private let ended = Atomic<UInt64>(0)

  package init() {}

  package var current: Int { count.load(ordering: .relaxed) }

  /// How long nothing has been under way; since the machine's start if nothing ever was.
  package var idleTime: Duration {
    let ended = NIODeadline.uptimeNanoseconds(ended.load(ordering: .relaxed))
    return current > 0 ? .zero : .nanoseconds((NIODeadline.now() - ended).nanoseconds)
  }

  package func begin() { count.add(1, ordering: .relaxed) }

  package func end() {
    ended.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
    count.subtract(1, ordering: .relaxed)
  }
}
