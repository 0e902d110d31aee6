package import NIOCore

/// How long a machine takes to begin its answer, smoothed as TCP does it (RFC 6298).
package struct LatencyEstimate: Sendable {
  /// The most that an answer is waited for.
  private let longest: TimeAmount
  private var mean: Double?
  private var deviation = 0.0

  package init(longest: TimeAmount = .seconds(1)) {
    self.longest = longest
  }

  /// Nanoseconds.
  package mutating func record(_ time: TimeAmount) {
    let value = Double(time.nanoseconds)
    guard let mean else {
      self.mean = value
      deviation = value / 2
      return
    }
    deviation += (abs(value - mean) - deviation) / 4
    self.mean = mean + (value - mean) / 8
  }

  /// nil before the first answer.
  package var typical: TimeAmount? { mean.map { .nanoseconds(Int64($0)) } }

  /// An answer that has not begun by then is late: another peer is asked as well.
  package var late: TimeAmount { clamp(spread(4), .milliseconds(5), .milliseconds(100)) }

  /// An answer that has not begun by then is not waited for. Generous: a machine that compiles is slow to answer.
  package var lost: TimeAmount { clamp(spread(16), .milliseconds(200), longest) }

  private func spread(_ factor: Double) -> TimeAmount {
    .nanoseconds(Int64((mean ?? 5_000_000) + factor * max(deviation, 1_000_000)))
  }

  private func clamp(_ value: TimeAmount, _ least: TimeAmount, _ most: TimeAmount) -> TimeAmount {
    max(least, min(most, value))
  }
}
