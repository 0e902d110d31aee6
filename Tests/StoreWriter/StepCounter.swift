import Glibc
import Synchronization

/// Kills this process at the n-th step.
final class StepCounter: Sendable {
  private let left: Atomic<Int>

  /// - Parameter last: 0 for never.
  init(last: UInt64) {
    left = Atomic(Int(last))
  }

  func pass() {
    if left.wrappingSubtract(1, ordering: .relaxed).newValue == 0 { kill(getpid(), SIGKILL) }
  }
}
