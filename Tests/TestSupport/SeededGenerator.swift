/// SplitMix64: the same numbers for the same seed, so that a failing random test can be run again.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) {
    state = seed
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Random bytes; beyond the first kilobyte they repeat with differences, which is much faster to make.
  package mutating func bytes(_ count: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(2 * count + 1024)
    while result.count < count {
      withUnsafeBytes(of: next()) { result.append(contentsOf: $0) }
      if result.count >= 1024 { result += result }
    }
    result.removeLast(result.count - count)
    return result
  }

  /// Cuts `bytes` into pieces of random lengths, some of them empty.
  package mutating func pieces(of bytes: [UInt8], upTo longest: Int = 100_000) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let scale = [1, 10, 1000, longest].randomElement(using: &self)!
      let count = Int.random(in: 0...scale, using: &self)
      pieces.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return pieces
  }
}
