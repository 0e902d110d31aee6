/// A set of four-byte fingerprints in five to eleven bytes each: open addressing with linear probing. (Swift's `Set` takes
/// more than twice as much, and a peer may announce a million.)
struct FingerprintTable: Sendable {
  /// 0 is an empty place; the fingerprint 0 itself is kept apart.
  private var places: [UInt32]
  private var holdsZero = false
  private(set) var count = 0

  /// - Parameter capacity: how many are expected.
  init(capacity: Int = 0) {
    places = [UInt32](repeating: 0, count: Self.size(for: capacity))
  }

  /// Bytes it takes.
  var memory: Int { places.count * MemoryLayout<UInt32>.size }

  /// A power of two that is at most three quarters full.
  private static func size(for count: Int) -> Int {
    var size = 16
    while size / 4 * 3 < count { size *= 2 }
    return size
  }

  func contains(_ fingerprint: UInt32) -> Bool {
    fingerprint == 0 ? holdsZero : places[place(of: fingerprint)] == fingerprint
  }

  mutating func insert(_ fingerprint: UInt32) {
    guard !contains(fingerprint) else { return }
    count += 1
    guard fingerprint != 0 else { return holdsZero = true }
    if places.count / 4 * 3 < count { grow() }
    places[place(of: fingerprint)] = fingerprint
  }

  mutating func remove(_ fingerprint: UInt32) {
    guard contains(fingerprint) else { return }
    count -= 1
    guard fingerprint != 0 else { return holdsZero = false }
    var hole = place(of: fingerprint)
    places[hole] = 0
    // Those behind the hole that had been pushed along move back, or they would not be found any more.
    var next = (hole + 1) & (places.count - 1)
    while places[next] != 0 {
      let home = Self.home(of: places[next], in: places.count)
      let isBetween = hole <= next ? (hole < home && home <= next) : (hole < home || home <= next)
      if !isBetween {
        places[hole] = places[next]
        places[next] = 0
        hole = next
      }
      next = (next + 1) & (places.count - 1)
    }
  }

  private mutating func grow() {
    let old = places
    places = [UInt32](repeating: 0, count: Self.size(for: count))
    for fingerprint in old where fingerprint != 0 { places[place(of: fingerprint)] = fingerprint }
  }

  /// Where a fingerprint is, or the free place where it belongs.
  private func place(of fingerprint: UInt32) -> Int {
    var index = Self.home(of: fingerprint, in: places.count)
    while places[index] != 0, places[index] != fingerprint { index = (index + 1) & (places.count - 1) }
    return index
  }

  /// Multiply-shift with a multiplier of this process's own: a peer may announce any fingerprints, and must not be able to
  /// choose ones that all belong to the same place.
  private static func home(of fingerprint: UInt32, in size: Int) -> Int {
    Int(truncatingIfNeeded: (UInt64(fingerprint) &* multiplier) >> UInt64(64 - size.trailingZeroBitCount))
  }

  private static let multiplier = UInt64.random(in: 0...UInt64.max) | 1
}
