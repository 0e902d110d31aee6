/// How long packets are dealt with: a flood costs a bounded share of a processor, whatever is in it, and the rest of it is
/// the kernel's to drop.
struct IntakeLimit {
  private var windowEnd: Instant?
  private var spent = Duration.zero

  /// Of processor time in each window: a tenth of a processor. Most packets cost some 10 µs, and one that is made for it
  /// some milliseconds.
  static let budget = Duration.milliseconds(10)
  static let window = Duration.milliseconds(100)

  /// A packet has taken so much processor time.
  mutating func spend(_ time: Duration, now: Instant) {
    if windowEnd.map({ $0 <= now }) ?? true {
      windowEnd = now + Self.window
      spent = .zero
    }
    spent += time
  }

  /// When reading may go on; nil when it may now.
  func pauseEnd(now: Instant) -> Instant? {
    guard spent >= Self.budget, let windowEnd, now < windowEnd else { return nil }
    return windowEnd
  }
}
