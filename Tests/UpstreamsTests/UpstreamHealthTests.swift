import CacheStore
import NIOCore
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// What is known of a store, and what the user is told of it.
struct UpstreamHealthTests {
  private let clock = StoppedClock()
  private let health: UpstreamHealth
  private let passing = UpstreamProblem(kind: .passing, text: "fails")
  private let lasting = UpstreamProblem(kind: .lasting, text: "refuses")
  private let ofObject = UpstreamProblem(kind: .ofObject, text: "finds it too large")

  init() {
    health = UpstreamHealth(name: "upstream x") { [clock] in clock.now }
  }

  @Test func `a trouble is told once until it is over`() {
    for _ in 0..<3 { health.record(passing, .reading) }
    #expect(health.takeUnsaid() == ["upstream x fails"])
    #expect(health.takeUnsaid() == [])
    #expect(health.complaint == "fails")
    // Another face of the same trouble.
    health.record(lasting, .reading)
    #expect(health.takeUnsaid() == [])
    health.recordSuccess(.reading)
    #expect(health.complaint == nil)
    health.record(lasting, .reading)
    #expect(health.takeUnsaid() == ["upstream x refuses"])
  }

  @Test(arguments: [UpstreamHealth.Direction.reading, .writing])
  func `a failure among successes is not told of`(direction: UpstreamHealth.Direction) {
    for _ in 0..<100 {
      health.record(passing, direction)
      for _ in 0..<3 { health.recordSuccess(direction) }
    }
    #expect(health.takeUnsaid() == [] && health.complaint == nil && health.isUsable(direction))
    for _ in 0..<16 { health.record(passing, direction) }
    #expect(health.takeUnsaid() == ["upstream x fails"] && !health.isUsable(direction))
  }

  @Test func `what fails again and again is told of, whatever else succeeds`() {
    for _ in 0..<10 { health.recordSuccess(.writing) }
    health.record(passing, .writing)
    health.record(passing, .writing, isGivenUp: true)
    #expect(health.takeUnsaid() == ["upstream x fails"] && health.isUsable(.writing))
  }

  @Test func `a trouble that comes and goes is told once in ten minutes`() {
    for _ in 0..<100 {
      health.record(lasting, .reading)
      health.recordSuccess(.reading)
      clock.advance(by: .seconds(1))
    }
    #expect(health.takeUnsaid() == ["upstream x refuses"])
    clock.advance(by: .minutes(10) - .seconds(100))
    health.record(lasting, .reading)
    #expect(health.takeUnsaid() == ["upstream x refuses"])
  }

  @Test func `a store that always says something else does not fill the memory, nor the terminal`() {
    for number in 0..<1000 {
      health.record(.init(kind: .lasting, text: "redirects to \(number)"), .reading)
      health.recordSuccess(.reading)
    }
    #expect(health.takeUnsaid().count < 50)
  }

  @Test func `trouble with writing is told of only where there is none with reading`() {
    for _ in 0..<3 { health.record(passing, .reading) }
    for _ in 0..<3 { health.record(passing, .writing) }
    #expect(health.takeUnsaid() == ["upstream x fails"])
    health.recordSuccess(.writing)
    health.record(lasting, .writing)
    #expect(health.takeUnsaid().isEmpty)
    health.recordSuccess(.writing)
    health.recordSuccess(.reading)
    health.record(lasting, .writing)
    #expect(health.takeUnsaid() == ["upstream x refuses"])
  }

  @Test func `a text that begins with a colon follows the name at once`() {
    health.record(.init(kind: .lasting, text: ": the clock is off"), .reading)
    #expect(health.takeUnsaid() == ["upstream x: the clock is off"])
  }

  @Test(arguments: [UpstreamHealth.Direction.reading, .writing])
  func `what lasts is not tried with every object, and says nothing of the other direction`(
    direction: UpstreamHealth.Direction
  ) {
    let other: UpstreamHealth.Direction = direction == .reading ? .writing : .reading
    #expect(health.admits(direction))
    health.record(lasting, direction)
    #expect(!health.admits(direction) && !health.isUsable(direction))
    #expect(health.admits(other) && health.isUsable(other))
  }

  @Test func `what may pass is tried a few times`() {
    for _ in 0..<2 { health.record(passing, .reading) }
    #expect(health.admits(.reading))
    health.record(passing, .reading)
    #expect(!health.admits(.reading))
  }

  @Test func `what is wrong with one object is not held against the store`() {
    for _ in 0..<20 { health.record(ofObject, .writing) }
    #expect(health.admits(.writing))
  }

  @Test func `objects that are not right are counted, and told of once in ten minutes`() {
    for _ in 0..<10 {
      health.recordRejection(.wrongBody)
      clock.advance(by: .seconds(1))
    }
    #expect(health.rejected == 10 && health.admits(.reading))
    #expect(health.takeUnsaid() == ["upstream x holds damaged entries: they are ignored"])
    clock.advance(by: .minutes(10) - .seconds(10))
    health.recordRejection(.wrongSeal)
    #expect(health.takeUnsaid().count == 1)
  }

  @Test func `a store that answers everything with something foreign is not asked any more`() {
    for _ in 0..<3 { health.recordRejection(.foreign) }
    #expect(!health.admits(.reading))
  }

  @Test func `what others say does no harm to a terminal, and is short`() {
    #expect(TransferFailure.other("a\u{1b}[31mb\nä\u{7f}").problem?.text == "cannot be used: a[31mb ä")
    #expect(TransferFailure.other(String(repeating: "x", count: 10_000)).problem?.text.count ?? 1000 <= 220)
  }

  @Test func `a store's name does no harm to a terminal`() {
    let health = UpstreamHealth(name: "upstream s3://a\u{9b}31m\u{202e}b\nfabrik: done") { [clock] in clock.now }
    health.record(.init(kind: .lasting, text: "fails"), .reading)
    #expect(health.takeUnsaid() == ["upstream s3://a31mb fabrik: done fails"])
  }

  @Test func `what was given up says nothing of the store`() {
    #expect(TransferFailure.givenUp.problem == nil && TransferFailure.stopped.problem == nil)
  }
}

/// Which keys are not asked for again.
struct MissMemoryTests {
  private let clock = StoppedClock()
  private let memory: MissMemory

  init() {
    memory = MissMemory { [clock] in clock.now }
  }

  @Test func `a miss is remembered for a minute`() {
    memory.insert(.init(test: 1))
    clock.advance(by: .seconds(59))
    #expect(memory.contains(.init(test: 1)) && !memory.contains(.init(test: 2)))
    clock.advance(by: .seconds(1))
    #expect(!memory.contains(.init(test: 1)))
  }

  @Test func `what has been sent up is asked for again`() {
    memory.insert(.init(test: 1))
    memory.remove(.init(test: 1))
    #expect(!memory.contains(.init(test: 1)))
  }

  @Test func `of very many, the oldest are forgotten`() {
    for number in 0..<70_000 { memory.insert(.init(test: number)) }
    #expect(!memory.contains(.init(test: 0)))
    #expect(memory.contains(.init(test: 69_999)))
    #expect(memory.contains(.init(test: 40_000)))
    memory.remove(.init(test: 40_000))
    #expect(!memory.contains(.init(test: 40_000)))
  }
}
