/// What one build may lose by waiting for one layer. When waiting has cost more than the layer gave, it is not asked any
/// more for the rest of the build.
struct LayerBudget: Sendable, Equatable {
  /// Milliseconds that may be lost before anything was gained.
  private static let allowance: Int64 = 1000
  /// What a hit is worth whose compilation time is not known, in milliseconds: little, for a compiler.
  private static let unknownGain: Int64 = 100
  /// And what it is worth at least, in bytes per millisecond: no compiler or linker writes faster than 20 MB/s.
  private static let writingRate: UInt64 = 20_000
  /// What one hit may gain, in milliseconds: its duration comes from where the entry came from, and whoever makes it up must
  /// not buy the right to be waited for.
  private static let mostCredit: Int64 = 5000

  private var lost: Int64 = 0
  private var gained: Int64 = 0
  /// Questions whose answers are awaited. A build with many jobs loses the time once, not for each of them.
  private var waiting: Int64 = 0

  var isExhausted: Bool { rest < 0 }

  /// Milliseconds that may still be lost.
  var rest: Int64 { Self.allowance + gained / 4 - lost }

  /// A tool begins to wait. The end is recorded as a hit or a miss.
  mutating func beginWait() {
    waiting += 1
  }

  /// What waiting has cost the build, in milliseconds.
  private mutating func endWait(_ waited: Int64) -> Int64 {
    defer { waiting = max(0, waiting - 1) }
    return waited / max(1, waiting)
  }

  /// - Parameters:
  ///   - waited: milliseconds.
  ///   - duration: milliseconds that the tool once took to make what was fetched; nil when not known.
  ///   - bytes: of the body.
  mutating func recordHit(waited: Int64, duration: UInt32?, bytes: UInt64 = 0) {
    let waited = endWait(waited)
    let gain = duration.map(Int64.init) ?? max(Self.unknownGain, Int64(clamping: bytes / Self.writingRate))
    if gain > waited { gained += min(Self.mostCredit, gain - waited) } else { lost += waited - gain }
  }

  mutating func recordMiss(waited: Int64) {
    lost += endWait(waited)
  }
}
