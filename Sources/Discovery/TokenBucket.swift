/// How often something may be done: `perSecond` times in the long run, `capacity` times at once.
struct TokenBucket {
  private let capacity: Double
  private let perSecond: Double
  private var tokens: Double
  private var last: Instant?

  init(capacity: Double, perSecond: Double) {
    self.capacity = capacity
    self.perSecond = perSecond
    tokens = capacity
  }

  /// False when it must not be done now.
  mutating func take(now: Instant) -> Bool {
    if let last { tokens = min(capacity, tokens + (now - last) / .seconds(1) * perSecond) }
    last = now
    guard tokens >= 1 else { return false }
    tokens -= 1
    return true
  }
}
