package import NIOCore

/// How long a machine takes to begin its answer, smoothed as TCP does it (RFC 6298).
package struct LatencyEstimate: Sendable {
  /// What is assumed of a machine that has not answered yet: it is in the same network.
  private static let usual = TimeAmount.milliseconds(5)
  /// However steady a machine has been, the next answer may take this much longer without a reason.
  private static let leastDeviation = TimeAmount.milliseconds(1)
  /// Deviations by which a late answer is later than usual; as many as in RFC 6298.
  private static let lateFactor = 4.0
  /// To ask another peer sooner would load it for nothing; later, it would not help any more.
  private static let lateBounds = TimeAmount.milliseconds(5)...TimeAmount.milliseconds(100)
  /// The same of a lost answer. Generous: a machine that compiles is slow to answer.
  private static let lostFactor = 16.0
  private static let soonestLost = TimeAmount.milliseconds(200)

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
  package var late: TimeAmount {
    max(Self.lateBounds.lowerBound, min(Self.lateBounds.upperBound, spread(Self.lateFactor)))
  }

  /// An answer that has not begun by then is not waited for.
  package var lost: TimeAmount { max(Self.soonestLost, min(longest, spread(Self.lostFactor))) }

  private func spread(_ factor: Double) -> TimeAmount {
    let deviation = max(deviation, Double(Self.leastDeviation.nanoseconds))
    return .nanoseconds(Int64((mean ?? Double(Self.usual.nanoseconds)) + factor * deviation))
  }
}
