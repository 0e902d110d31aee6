import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import PeerNetwork

@Suite("A summary of what this machine holds")
struct OwnSummaryTests {
  private let summary = OwnSummary()

  /// A peer's copy, kept as ``PeerLink`` keeps it.
  private struct Copy {
    var generation: SummaryGeneration?
    var known: Set<UInt32> = []
    var wasFull = false

    mutating func update(from summary: OwnSummary) {
      let answer = summary.answer(since: generation)
      generation = answer.generation
      wasFull = answer.isFull
      if answer.isFull { known = [] }
      known.formUnion(answer.fingerprints)
    }
  }

  @Test("is told wholly at first, then by what was added")
  func changes() {
    var copy = Copy()
    copy.update(from: summary)
    #expect(copy.wasFull && copy.known == [])
    for fingerprint: UInt32 in [5, 0, 5, .max] { summary.insert(fingerprint) }
    #expect(summary.answer(since: copy.generation).fingerprints == [5, 0, .max], "in their order, each once")
    copy.update(from: summary)
    #expect(!copy.wasFull && copy.known == [0, 5, .max] && summary.count == 3)
    copy.update(from: summary)
    #expect(!copy.wasFull && copy.known == [0, 5, .max])
    #expect(summary.answer(since: copy.generation).fingerprints.isEmpty)
  }

  @Test("is told wholly to who knows another state")
  func strangers() {
    summary.insert(1)
    let current = summary.answer(since: nil).generation
    for stranger in [
      nil, SummaryGeneration(epoch: current.epoch ^ 1, number: current.number),
      SummaryGeneration(epoch: current.epoch, number: current.number + 1), SummaryGeneration(epoch: 0, number: .max),
    ] {
      let answer = summary.answer(since: stranger)
      #expect(answer.isFull && answer.fingerprints == [1] && answer.generation == current)
    }
    #expect(OwnSummary().answer(since: nil).generation.epoch != current.epoch, "each start is another one")
  }

  @Test("is told wholly to who has missed too much")
  func overflow() {
    var (near, far) = (Copy(), Copy())
    far.update(from: summary)
    for fingerprint in 0..<UInt32(40_000) {
      if fingerprint == 39_000 { near.update(from: summary) }
      summary.insert(fingerprint)
    }
    near.update(from: summary)
    far.update(from: summary)
    #expect(!near.wasFull && near.known == Set(0..<40_000))
    #expect(far.wasFull && far.known == Set(0..<40_000))
  }

  @Test("is compared with what the store lists: growth is told by what was added")
  func growth() {
    var copy = Copy()
    summary.insert(1)
    copy.update(from: summary)
    summary.replace { [1, 2, 3] }
    copy.update(from: summary)
    #expect(!copy.wasFull && copy.known == [1, 2, 3])
    let before = copy.generation
    summary.replace { [1, 2, 3] }
    copy.update(from: summary)
    #expect(copy.generation == before, "nothing has changed")
  }

  @Test("is told wholly when something has been removed")
  func removal() {
    var copy = Copy()
    summary.replace { [1, 2, 3] }
    copy.update(from: summary)
    summary.replace { [2, 3, 4] }
    copy.update(from: summary)
    #expect(copy.wasFull && copy.known == [2, 3, 4])
    summary.insert(1)
    copy.update(from: summary)
    #expect(!copy.wasFull && copy.known == [1, 2, 3, 4])
  }

  @Test("is told wholly when the store has grown by very much at once")
  func largeGrowth() {
    var copy = Copy()
    copy.update(from: summary)
    summary.replace { Set(0..<50_000) }
    copy.update(from: summary)
    #expect(copy.wasFull && copy.known.count == 50_000)
  }

  @Test("keeps what was stored while the store was being listed")
  func storedMeanwhile() {
    var copy = Copy()
    summary.insert(1)
    copy.update(from: summary)
    summary.replace {
      summary.insert(9)
      return [1, 2]
    }
    copy.update(from: summary)
    #expect(copy.known == [1, 2, 9] && summary.count == 3)
    summary.replace {
      summary.insert(10)
      return []
    }
    copy.update(from: summary)
    #expect(copy.wasFull && copy.known == [10])
  }

  @Test("never has more than peers read, whatever is stored while it is being listed")
  func limit() {
    summary.replace {
      for fingerprint in 0..<UInt32(5) { summary.insert(.max - fingerprint) }
      return Set(0..<UInt32(OwnSummary.limit - 2))
    }
    #expect(summary.count == OwnSummary.limit && summary.answer(since: nil).fingerprints.count == OwnSummary.limit)
  }

  @Test("is the same for everybody, whenever they ask")
  func model() {
    var generator = SystemRandomNumberGenerator()
    var copies = [Copy](repeating: Copy(), count: 5)
    var known: Set<UInt32> = []
    for _ in 0..<3000 {
      switch Int.random(in: 0..<100, using: &generator) {
      case 0:
        known = known.filter { _ in Bool.random() }
        summary.replace { known }
      case 1...2:
        known.formUnion((0..<20).map { _ in UInt32.random(in: 0..<500) })
        summary.replace { known }
      case 3..<50:
        let fingerprint = UInt32.random(in: 0..<500)
        known.insert(fingerprint)
        summary.insert(fingerprint)
      default:
        let index = copies.indices.randomElement()!
        copies[index].update(from: summary)
        #expect(copies[index].known == known)
      }
    }
  }

  // MARK: - Waiting

  @Test("lets those wait who know it all, until there is something new")
  func waiting() {
    let loop = EmbeddedEventLoop()
    let done = Mutex(0)
    func wait(_ since: SummaryGeneration?) -> UInt64 {
      let (id, future) = summary.change(since: since, on: loop)
      future.whenSuccess { done.withLock { $0 += 1 } }
      return id
    }
    summary.insert(1)
    let current = summary.answer(since: nil).generation
    _ = wait(nil)
    _ = wait(SummaryGeneration(epoch: current.epoch ^ 1, number: current.number))
    _ = wait(SummaryGeneration(epoch: current.epoch, number: 0))
    #expect(done.withLock { $0 } == 3, "who does not know it all does not wait")

    let ids = (0..<3).map { _ in wait(current) }
    #expect(done.withLock { $0 } == 3)
    summary.insert(1)
    #expect(done.withLock { $0 } == 3, "nothing new")
    summary.cancel(ids[0])
    summary.cancel(ids[0])
    #expect(done.withLock { $0 } == 4, "gave up")
    summary.insert(2)
    #expect(done.withLock { $0 } == 6)
    _ = wait(summary.answer(since: nil).generation)
    summary.replace { [] }
    #expect(done.withLock { $0 } == 7, "a removal is something new")
    summary.cancel(12345)
  }

  @Test("may be changed and asked by several threads")
  func threads() async {
    await withTaskGroup(of: Void.self) { group in
      for thread in 0..<4 {
        group.addTask { [summary] in for number in 0..<2000 { summary.insert(UInt32(thread * 2000 + number)) } }
      }
      group.addTask { [summary] in
        var copy = Copy()
        for _ in 0..<500 { copy.update(from: summary) }
        let before = copy.known
        copy.update(from: summary)
        #expect(copy.known.isSuperset(of: before))
      }
    }
    var copy = Copy()
    copy.update(from: summary)
    #expect(copy.known == Set(0..<8000))
  }
}
