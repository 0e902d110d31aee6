import Testing

@testable import LayeredCache

@Suite("What a build may lose by waiting for a layer")
struct LayerBudgetTests {
  private var budget = LayerBudget()

  @Test("is a second, as long as the layer gave nothing")
  mutating func allowance() {
    for _ in 0..<10 { budget.recordMiss(waited: 100) }
    #expect(!budget.isExhausted)
    budget.recordMiss(waited: 1)
    #expect(budget.isExhausted)
  }

  @Test("grows by a quarter of what the layer gave")
  mutating func gain() {
    budget.recordHit(waited: 50, duration: 4050)
    budget.recordMiss(waited: 2000)
    #expect(!budget.isExhausted)
    budget.recordMiss(waited: 1)
    #expect(budget.isExhausted)
    budget.recordHit(waited: 0, duration: 400)
    #expect(!budget.isExhausted, "what is on its way may still bring it back")
  }

  @Test("shrinks by hits that took longer than making the entry would have")
  mutating func slowHits() {
    for _ in 0..<10 { budget.recordHit(waited: 150, duration: 50) }
    #expect(!budget.isExhausted)
    budget.recordHit(waited: 11, duration: 10)
    #expect(budget.isExhausted)
  }

  @Test("takes a hit of unknown worth for a little")
  mutating func unknown() {
    for _ in 0..<1000 { budget.recordHit(waited: 20, duration: nil) }
    #expect(!budget.isExhausted && budget == LayerBudget())
    for _ in 0..<11 { budget.recordHit(waited: 120, duration: nil) }
    #expect(budget.isExhausted)
  }

  @Test("a store so far away that every file costs more than compiling it is given up, also when many files wait")
  func far() {
    var budget = LayerBudget()
    var files = 0
    while !budget.isExhausted, files < 1000 {
      // Eight compilers, each with two questions of which the second spares it 150 ms.
      for duration in [nil, 150] as [UInt32?] {
        for _ in 0..<8 { budget.beginWait() }
        for _ in 0..<8 { budget.recordHit(waited: 120, duration: duration) }
      }
      files += 8
    }
    #expect(files < 400)
  }

  @Test("is never exhausted by a layer that is quick")
  mutating func quick() {
    for _ in 0..<100_000 {
      budget.recordMiss(waited: 0)
      budget.recordHit(waited: 2, duration: 500)
    }
    #expect(!budget.isExhausted)
  }

  @Test("what several tools wait for at the same time is lost once")
  func parallel() {
    var budget = LayerBudget()
    for _ in 0..<100 { budget.beginWait() }
    for _ in 0..<100 { budget.recordMiss(waited: 100) }
    #expect(!budget.isExhausted)
    for _ in 0..<10 {
      budget.beginWait()
      budget.recordMiss(waited: 100)
    }
    #expect(budget.isExhausted)
  }

  @Test("large hits of unknown duration that come at the speed of the network are no loss")
  func large() {
    var budget = LayerBudget()
    for _ in 0..<100 { budget.recordHit(waited: 560, duration: nil, bytes: 64 << 20) }
    #expect(!budget.isExhausted)
    for _ in 0..<100 { budget.recordHit(waited: 20_000, duration: nil, bytes: 64 << 20) }
    #expect(budget.isExhausted)
  }
}
