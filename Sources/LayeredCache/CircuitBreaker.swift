package import NIOCore

/// Keeps questions from a machine that mostly fails to answer them. It trips on the rate of failures among the last
/// answers, stays open for a while that doubles each time, and then lets one question through: its answer decides.
package struct CircuitBreaker: Sendable {
  private enum State {
    case closed
    case open(until: NIODeadline)
    /// One question is on its way.
    case halfOpen
  }

  /// Answers that are looked back upon: what was long ago says little of now.
  private static let window = 16
  /// With fewer, a failure may be chance.
  private static let leastSamples = 3
  /// A machine that was only busy, or started its server anew, is back by then.
  private static let firstPause = TimeAmount.seconds(2)
  /// One that was switched off and is back is asked again within a minute.
  private static let longestPause = TimeAmount.seconds(60)

  private var state = State.closed
  /// The last answers, as bits: 1 is a failure.
  private var failures: UInt64 = 0
  private var samples = 0
  private var pause = firstPause

  package init() {}

  /// Whether a question may be asked now. If so, its end must be recorded.
  package mutating func admits(now: NIODeadline) -> Bool {
    switch state {
    case .closed: return true
    case .halfOpen: return false
    case .open(let end):
      guard now >= end else { return false }
      state = .halfOpen
      return true
    }
  }

  /// Whether a question would be admitted.
  package func isClosed(now: NIODeadline) -> Bool {
    switch state {
    case .closed: true
    case .halfOpen: false
    case .open(let end): now >= end
    }
  }

  package mutating func recordSuccess() {
    if case .halfOpen = state {
      self = CircuitBreaker()
      return
    }
    record(false)
  }

  package mutating func recordFailure(now: NIODeadline) {
    if case .halfOpen = state {
      pause = min(Self.longestPause, pause + pause)
      state = .open(until: now + pause)
      return
    }
    record(true)
    let count = (failures & (1 << UInt64(Self.window) - 1)).nonzeroBitCount
    if samples >= Self.leastSamples, count * 2 >= min(samples, Self.window), case .closed = state {
      state = .open(until: now + pause)
      samples = 0
      failures = 0
    }
  }

  /// There is no use in asking further, whatever was answered before: credentials are wrong, say.
  package mutating func trip(now: NIODeadline) {
    if case .halfOpen = state { pause = min(Self.longestPause, pause + pause) }
    state = .open(until: now + pause)
    samples = 0
    failures = 0
  }

  /// A question that was given up for another reason than the machine: it says nothing, but must not block the next
  /// one.
  package mutating func recordNothing(now: NIODeadline) {
    if case .halfOpen = state { state = .open(until: now) }
  }

  private mutating func record(_ isFailure: Bool) {
    failures = failures << 1 | (isFailure ? 1 : 0)
    samples += 1
  }
}
