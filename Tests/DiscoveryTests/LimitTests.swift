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

  @Test("end the reading of packets for the rest of a window")
  func intake() {
    var limit = IntakeLimit()
    for _ in 1..<IntakeLimit.most { limit.count(now: now) }
    #expect(limit.pauseEnd(now: now) == nil)
    limit.count(now: now + .milliseconds(10))
    #expect(limit.pauseEnd(now: now + .milliseconds(10)) == now + IntakeLimit.window)
    #expect(limit.pauseEnd(now: now + IntakeLimit.window) == nil)
    limit.count(now: now + IntakeLimit.window)
    #expect(limit.pauseEnd(now: now + IntakeLimit.window) == nil)
  }
}
