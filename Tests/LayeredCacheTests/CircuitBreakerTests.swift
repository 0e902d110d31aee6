import NIOCore
import Testing

@testable import LayeredCache

@Suite("A peer's circuit breaker")
struct CircuitBreakerTests {
  private var breaker = CircuitBreaker()
  private var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

  private mutating func fail(_ count: Int) {
    for _ in 0..<count { breaker.recordFailure(now: now) }
  }

  private mutating func succeed(_ count: Int) {
    for _ in 0..<count { breaker.recordSuccess() }
  }

  private var isOpen: Bool {
    var copy = breaker
    let admits = copy.admits(now: now)
    #expect(breaker.isClosed(now: now) == admits, "both questions have one answer")
    return !admits
  }

  @Test("does not trip on a failure or two")
  mutating func chance() {
    fail(2)
    #expect(!isOpen)
    fail(1)
    #expect(isOpen)
  }

  @Test("trips when half of the last answers were failures")
  mutating func rate() {
    succeed(1000)
    fail(7)
    #expect(!isOpen, "7 of the last 16")
    fail(1)
    #expect(isOpen)
  }

  @Test("does not trip when less than half fail")
  mutating func tolerance() {
    for _ in 0..<100 {
      succeed(2)
      fail(1)
      #expect(!isOpen)
    }
  }

  @Test("lets one question through after a while; its answer decides")
  mutating func halfOpen() {
    fail(3)
    now = now + .milliseconds(1999)
    #expect(isOpen)
    now = now + .milliseconds(1)
    #expect(!isOpen)
    let isAdmitted = breaker.admits(now: now)
    #expect(isAdmitted && isOpen, "one at a time")
    breaker.recordSuccess()
    #expect(!isOpen)
    fail(2)
    #expect(!isOpen, "it begins anew")
  }

  @Test("stays open twice as long each time, up to a minute")
  mutating func pauses() {
    fail(3)
    for seconds: Int64 in [2, 4, 8, 16, 32, 60, 60, 60] {
      now = now + .seconds(seconds) - .nanoseconds(1)
      #expect(isOpen)
      now = now + .nanoseconds(1)
      let isAdmitted = breaker.admits(now: now)
      #expect(isAdmitted)
      breaker.recordFailure(now: now)
    }
  }

  @Test("lets the next question through when the one in between says nothing")
  mutating func nothing() {
    fail(3)
    now = now + .seconds(2)
    let isAdmitted = breaker.admits(now: now)
    breaker.recordNothing(now: now)
    #expect(isAdmitted && !isOpen)
    var closed = CircuitBreaker()
    closed.recordNothing(now: now)
    #expect(closed.isClosed(now: now))
  }

  @Test("is not closed by answers to what was asked before it opened")
  mutating func late() {
    fail(3)
    succeed(20)
    #expect(isOpen)
    fail(20)
    now = now + .seconds(2)
    #expect(!isOpen, "nor kept open by them")
  }
}
