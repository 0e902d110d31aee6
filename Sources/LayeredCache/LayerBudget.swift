/// What one build may lose by waiting for one layer. When waiting has cost more than the layer gave, it is not asked
/// any more for the rest of the build.
struct LayerBudget: Sendable, Equatable {
  /// Milliseconds that may be lost before anything was gained.
  private static let allowance: Int64 = 1000
  /// What a hit is worth whose compilation time is not known, in milliseconds. Little: ccache's first question for a
  /// file is such a hit, and only with the second one nothing has to be compiled.
  private static let unknownGain: Int64 = 20
  /// And what it is worth at least, in bytes per millisecond: no compiler or linker writes faster than 20 MB/s.
  private static let writingRate: UInt64 = 20_000
  /// What one hit may gain, in milliseconds: its duration comes from where the entry came from, and whoever makes it up
  /// must not buy the right to be waited for.
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

  /// What a tool lost or won is lost or won by the build once for all that wait, or would work, at the same time.
  private mutating func endWait(_ milliseconds: Int64) -> Int64 {
    defer { waiting = max(0, waiting - 1) }
    return milliseconds / max(1, waiting)
  }

  /// - Parameters:
  ///   - waited: milliseconds.
  ///   - duration: milliseconds that the tool once took to make what was fetched; nil when not known.
  ///   - bytes: of the body.
  mutating func recordHit(waited: Int64, duration: UInt32?, bytes: UInt64 = 0) {
    let worth = duration.map(Int64.init) ?? max(Self.unknownGain, Int64(clamping: bytes / Self.writingRate))
    let gain = endWait(min(Self.mostCredit, worth - waited))
    if gain > 0 { gained += gain } else { lost -= gain }
  }

  mutating func recordMiss(waited: Int64) {
    lost += endWait(waited)
  }
}
