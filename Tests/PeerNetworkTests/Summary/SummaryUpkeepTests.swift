import CacheStore
import NIOCore
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("The summary of a store that changes")
struct SummaryUpkeepTests {
  private let start = NIODeadline.now() + .hours(1)

  /// A store of two entries that has been listed, and what peers are told of it.
  private func withUpkeep(_ body: (CacheStore, OwnSummary, SummaryUpkeep) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 1 << 30)
      let summary = OwnSummary()
      let upkeep = SummaryUpkeep(store: store, summary: summary)
      for number in 0..<2 { store.put(CacheKey(test: number), [1]) }
      upkeep.refresh(isForced: true, now: start)
      try #require(summary.count == 2)
      try body(store, summary, upkeep)
    }
  }

  /// The state of a summary, which changes with each change of it.
  private func generation(_ summary: OwnSummary) -> SummaryGeneration { summary.answer(since: nil).generation }

  @Test("has what this server stores at once, for which nothing is listed")
  func own() throws {
    try withUpkeep { store, summary, upkeep in
      store.put(CacheKey(test: 2), [1])
      upkeep.stored(CacheKey(test: 2))
      #expect(summary.count == 3)
      // A listing would find that this one is not there.
      summary.insert(7)
      upkeep.refresh(isForced: false, now: start + .seconds(10))
      #expect(summary.count == 4)
    }
  }

  @Test("has what another process stores at the next look")
  func others() throws {
    try withUpkeep { store, summary, upkeep in
      store.put(CacheKey(test: 2), [1])
      upkeep.refresh(isForced: false, now: start + .milliseconds(1))
      #expect(summary.count == 3)
    }
  }

  @Test("keeps what was removed for a minute, so that not all peers fetch all of it with each removal")
  func removed() throws {
    try withUpkeep { store, summary, upkeep in
      let before = generation(summary)
      #expect(store.remove(CacheKey(test: 0)))
      upkeep.refresh(isForced: false, now: start + SummaryUpkeep.removalPause)
      #expect(generation(summary) == before)
      upkeep.refresh(isForced: false, now: start + SummaryUpkeep.removalPause + .seconds(1))
      #expect(summary.count == 1)
    }
  }

  @Test("is not listed anew for an entry that was overwritten")
  func replaced() throws {
    try withUpkeep { store, summary, upkeep in
      store.put(CacheKey(test: 0), [2])
      upkeep.stored(CacheKey(test: 0))
      summary.insert(7)
      upkeep.refresh(isForced: false, now: start + .seconds(10))
      #expect(summary.count == 3)
    }
  }
}
