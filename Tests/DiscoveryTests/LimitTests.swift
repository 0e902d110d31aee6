import Testing

@testable import Discovery

@Suite("Limits")
struct LimitTests {
  private let now = Instant.now

  @Test("let a burst through, and then what the rate allows")
  func tokens() {
    var bucket = TokenBucket(capacity: 5, perSecond: 10)
    var taken: [Int: Int] = [:]
    for milliseconds in [0, 99, 200, 1_000_000] {
      taken[milliseconds] = (0..<10).count { _ in bucket.take(now: now + .milliseconds(milliseconds)) }
    }
    #expect(taken == [0: 5, 99: 0, 200: 2, 1_000_000: 5])
  }

  @Test("end the reading of packets for the rest of a window when they have taken their time")
  func intake() {
    var limit = IntakeLimit()
    let piece = IntakeLimit.budget / 1000
    for _ in 1..<1000 { limit.spend(piece, now: now) }
    #expect(limit.pauseEnd(now: now) == nil)
    limit.spend(piece, now: now + .milliseconds(10))
    #expect(limit.pauseEnd(now: now + .milliseconds(10)) == now + IntakeLimit.window)
    #expect(limit.pauseEnd(now: now + IntakeLimit.window) == nil)
    limit.spend(piece, now: now + IntakeLimit.window)
    #expect(limit.pauseEnd(now: now + IntakeLimit.window) == nil)
    // A single packet may cost as much as many.
    limit.spend(IntakeLimit.budget, now: now + IntakeLimit.window)
    #expect(limit.pauseEnd(now: now + IntakeLimit.window) == now + IntakeLimit.window * 2)
  }
}
