/// A point in time up to which something is waited for. The time a machine sleeps does not count: nobody could answer.
package struct Deadline {
  private let end: SuspendingClock.Instant

  package static func after(_ duration: Duration) -> Deadline { Deadline(end: .now + duration) }

  func orEarlier(_ duration: Duration) -> Deadline { Deadline(end: min(end, .now + duration)) }

  package var isOver: Bool { SuspendingClock.now >= end }

  /// What is left; never negative.
  var remaining: Duration { max(.zero, SuspendingClock.now.duration(to: end)) }

  /// What is left, for `poll`: rounded up, at most one minute, so that no sum overflows.
  var milliseconds: CInt {
    let left = remaining
    if left == .zero { return 0 }
    return left >= .seconds(60) ? 60_000 : CInt(left / .milliseconds(1)) + 1
  }
}
