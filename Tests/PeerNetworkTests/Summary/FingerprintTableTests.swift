import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A table of fingerprints")
struct FingerprintTableTests {
  @Test("is a set", arguments: [1, 2, 3])
  func model(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var table = FingerprintTable(capacity: seed == 1 ? 0 : 500)
    var model: Set<UInt32> = []
    // Few different ones, so that they meet again; neighbours, zero and the largest among them.
    let candidates =
      (0..<700).map { _ in UInt32.random(in: 0...UInt32.max, using: &generator) } + Array(0..<50) + [.max]
    for step in 0..<40_000 {
      let fingerprint = candidates.randomElement(using: &generator)!
      // Now it grows, now it shrinks.
      let isGrowing = (step / 5000).isMultiple(of: 2)
      if Int.random(in: 0..<100, using: &generator) < (isGrowing ? 70 : 30) {
        table.insert(fingerprint)
        model.insert(fingerprint)
      } else {
        table.remove(fingerprint)
        model.remove(fingerprint)
      }
      if table.count != model.count { Issue.record("\(table.count) instead of \(model.count) at step \(step)") }
      if step.isMultiple(of: 1000) {
        #expect(candidates.allSatisfy { table.contains($0) == model.contains($0) })
      }
    }
  }

  @Test("holds zero like any other")
  func zero() {
    var table = FingerprintTable()
    #expect(!table.contains(0))
    table.remove(0)
    table.insert(0)
    table.insert(0)
    #expect(table.contains(0) && table.count == 1 && !table.contains(1))
    table.remove(0)
    #expect(!table.contains(0) && table.count == 0)
  }

  @Test("takes five to eleven bytes for each", arguments: [1000, 12_289, 50_000])
  func memory(count: Int) {
    var grown = FingerprintTable()
    var sized = FingerprintTable(capacity: count)
    let before = sized.memory
    for fingerprint in 0..<UInt32(count) {
      grown.insert(fingerprint &* 2_654_435_761)
      sized.insert(fingerprint &* 2_654_435_761)
    }
    #expect(sized.memory == before, "no growth when the number was known")
    for table in [grown, sized] { #expect((5 * count...11 * count).contains(table.memory)) }
  }
}
