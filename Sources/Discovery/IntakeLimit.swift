/// How many packets are looked at: a flood costs a bounded share of a processor, and the rest of it is the kernel's to
/// drop.
struct IntakeLimit {
  private var windowEnd: Instant?
  private var seen = 0

  /// A packet costs some 10 µs, so this is about a tenth of a processor.
  static let most = 1000
  static let window = Duration.milliseconds(100)

  /// A packet has been read.
  mutating func count(now: Instant) {
    if windowEnd.map({ $0 <= now }) ?? true {
      windowEnd = now + Self.window
      seen = 0
    }
    seen += 1
  }

  /// When reading may go on; nil when it may now.
  func pauseEnd(now: Instant) -> Instant? {
    guard seen >= Self.most, let windowEnd, now < windowEnd else { return nil }
    return windowEnd
  }
}
