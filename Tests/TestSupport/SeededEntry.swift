package import CacheStore

/// An entry whose every byte follows from two numbers, so that any process can tell whether what it read is right.
package struct SeededEntry: Sendable, Hashable {
  package let number: UInt64
  package let version: UInt64

  package init(number: UInt64, version: UInt64) {
    self.number = number
    self.version = version
  }

  package var key: CacheKey { CacheKey(test: number) }

  /// Every eighth number's body is shared with other numbers.
  package var body: [UInt8] {
    let seed = number % 8 == 0 ? (number / 8) % 4 : number &* 1_000_003 &+ version
    var generator = SeededGenerator(seed: seed)
    let sizes = [0...1, 100...3000, 3900...4200, 5000...70_000, 100_000...300_000]
    let size = Int.random(in: sizes.randomElement(using: &generator)!, using: &generator)
    return generator.bytes(size)
  }

  /// The versions that processes write.
  package static let versions: Range<UInt64> = 0..<3

  /// Which version of a number a body is; nil when it is none.
  package static func version(of number: UInt64, body: [UInt8]) -> UInt64? {
    versions.first { SeededEntry(number: number, version: $0).body == body }
  }
}
