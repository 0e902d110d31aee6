import BuildRecords
import CacheStore
import ControlProtocol
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import LayeredCache

@Suite("What is logged of a lookup")
struct LookupLogTests {
  private let key = CacheKey(test: 1)
  private let loop = EmbeddedEventLoop()

  private func withCache(_ layers: FakeLayer..., body: (LayeredCache) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let cache = LayeredCache(local: try CacheStore(directory: directory, maxSize: 1_000_000))
      for layer in layers { cache.add(layer) }
      try body(cache)
    }
  }

  private func lookUp(_ key: CacheKey, _ cache: LayeredCache, _ account: StatisticsAccount) throws {
    _ = try cache.find(key, for: account, on: loop)
  }

  private func record(_ account: StatisticsAccount) -> BuildRecord {
    var record = BuildRecord(process: 1, begin: 1, command: "make", directory: "/")
    account.fill(&record)
    return record
  }

  /// The outcomes of the only trail.
  private func outcomes(_ account: StatisticsAccount) -> [LayerOutcome.Kind] {
    let trails = record(account).trails.filter { $0.count > 0 }
    #expect(trails.count == 1)
    return trails.first?.steps.map(\.outcome.kind) ?? []
  }

  @Test("of a miss: why each layer gave nothing, whether it was asked or not")
  func miss() throws {
    let (silent, asked) = (FakeLayer(.peers), FakeLayer(.s3, claims: true))
    for (account, expected) in [
      (StatisticsAccount(), [LayerOutcome.Kind.absent, .unheld, .absent]),
      (StatisticsAccount(excluding: [.peers]), [.absent, .excluded, .absent]),
      (StatisticsAccount(excluding: [.peers, .s3]), [.absent, .excluded, .excluded]),
    ] {
      try withCache(silent, asked) { cache in
        try lookUp(key, cache, account)
        #expect(outcomes(account) == expected)
        #expect(record(account).lookups.map(\.key) == [key] && record(account).misses == 1)
      }
    }
    #expect(asked.questions.count == 2 && silent.questions.isEmpty)
  }

  @Test("of a miss: that a layer had cost the build too much")
  func exhausted() throws {
    try withCache(FakeLayer(.regional, claims: true)) { cache in
      let account = StatisticsAccount()
      account.recordWait(for: .regional, milliseconds: 1001, hit: nil)
      try lookUp(key, cache, account)
      #expect(outcomes(account) == [.absent, .exhausted])
    }
  }

  @Test("of a miss that counts only later: the same, once it counts")
  func laterMiss() throws {
    try withCache(FakeLayer(.peers), FakeLayer(.s3, claims: true)) { cache in
      let account = StatisticsAccount()
      let isThere = try cache.bring(key, for: account, on: loop).wait()
      #expect(!isThere)
      let steps = cache.takeMiss(of: key, for: account)
      #expect(steps.map(\.outcome.kind) == [.absent, .unheld, .absent])
      #expect(account.current.lookups == 0 && record(account).lookups.isEmpty)
      account.recordMiss(key, steps: steps)
      #expect(outcomes(account) == [.absent, .unheld, .absent])
      #expect(account.current.misses == 1 && record(account).misses == 1)
      #expect(account.takeAnswers(to: key).isEmpty)
    }
  }

  @Test("of a miss that could not be waited for: that those who may have it are late")
  func lateMiss() throws {
    let (silent, asked) = (FakeLayer(.peers), FakeLayer(.s3, isHolding: true, claims: true))
    try withCache(silent, asked) { cache in
      let account = StatisticsAccount()
      let answer = cache.bring(key, for: account, on: loop)
      let steps = cache.takeMiss(of: key, isLate: true, for: account)
      #expect(steps.map(\.outcome.kind) == [.absent, .unheld, .late])
      asked.release()
      let isThere = try answer.wait()
      #expect(!isThere)
    }
  }

  @Test("of a miss: what has become of what the local store had")
  func removed() throws {
    try withCache { cache in
      let account = StatisticsAccount()
      cache.local.put(key, [1])
      #expect(cache.local.remove(key))
      try lookUp(key, cache, account)
      #expect(outcomes(account) == [.removed])
    }
  }

  @Test("of a hit: who had it")
  func hits() throws {
    let layer = FakeLayer(.peers, [key: [1]], peer: PeerName(id: "ab", name: "laptop"))
    try withCache(layer, FakeLayer(.s3, claims: true)) { cache in
      let account = StatisticsAccount()
      for _ in 0..<2 { try lookUp(key, cache, account) }
      let trails = record(account).trails
      #expect(trails.map(\.isMiss) == [false, false] && trails.map(\.count) == [1, 1])
      #expect(trails[0].steps == [LookupStep(.peers, LayerOutcome(.hit, detail: "laptop"))])
      #expect(trails[1].steps == [LookupStep(.local, LayerOutcome(.hit))])
      #expect(record(account).lookups.map(\.trail) == [0, 1])
    }
  }

  @Test("of a hit that turns out to be damaged: a miss")
  func retracted() throws {
    try withCache { cache in
      let account = StatisticsAccount()
      cache.local.put(key, [1])
      let entry = try #require(try cache.find(key, for: account, on: loop)?.entry)
      entry.reportDamage()
      cache.retract(entry, from: nil, for: account)
      #expect(outcomes(account) == [.damaged] && record(account).lookups.count == 1)
    }
  }

  @Test("says which keys the build has stored")
  func stored() throws {
    try withCache { cache in
      let account = StatisticsAccount()
      try lookUp(key, cache, account)
      try lookUp(CacheKey(test: 2), cache, account)
      account.recordStored(key, bytes: 1)
      #expect(record(account).lookups.map(\.isStored) == [true, false])
    }
  }

  @Test("keeps apart what several tools ask at the same time")
  func together() throws {
    let layer = FakeLayer(.peers, isHolding: true, claims: true)
    try withCache(layer) { cache in
      let accounts = [StatisticsAccount(), StatisticsAccount(excluding: [.peers])]
      var isOver = false
      cache.find(key, for: accounts[0], on: loop) { _ in isOver = true }
      loop.run()
      #expect(!isOver)
      try lookUp(key, cache, accounts[1])
      layer.release()
      loop.run()
      #expect(isOver)
      #expect(outcomes(accounts[0]) == [.absent, .absent] && outcomes(accounts[1]) == [.absent, .excluded])
    }
  }

  @Test("counts all, and lists as many as are of use")
  func bounded() throws {
    var log = LookupLog()
    let miss = [LookupStep(.local, LayerOutcome(.absent))]
    for number in 0..<40_000 {
      log.note(CacheKey(test: number), miss)
      log.noteLocalHit(CacheKey(test: number))
      log.noteStored(CacheKey(test: number))
    }
    // What a store says may hold anything.
    for number in 0..<5000 {
      log.note(key, [LookupStep(.s3, place: "s3://a", LayerOutcome(.failed, number: number, detail: "\(number)"))])
    }
    var record = BuildRecord(process: 1, begin: 1, command: "make", directory: "/")
    log.fill(&record)
    #expect(record.lookupCount == 85_000 && record.misses == 45_000)
    #expect(record.lookups.count == 2 << 14 && record.trails.count < 300)
    #expect(record.encoded.count < 4 << 20)
    #expect(BuildRecord(encoded: record.encoded) == record)
  }

  @Test("forgets the answers to lookups that nobody finishes")
  func unfinished() throws {
    var log = LookupLog()
    for number in 0..<10_000 { log.answered(CacheKey(test: number), [LookupStep(.s3, LayerOutcome(.absent))]) }
    #expect(log.takeAnswers(to: CacheKey(test: 9_999)).count == 1)
    #expect(log.takeAnswers(to: CacheKey(test: 9_999)).isEmpty)
    #expect(log.takeAnswers(to: CacheKey(test: 1)).isEmpty)
    for _ in 0..<10_000 { log.answered(key, [LookupStep(.s3, LayerOutcome(.absent))]) }
    var kept = 0
    while !log.takeAnswers(to: key).isEmpty { kept += 1 }
    #expect((1...4096).contains(kept), "also those to one and the same key")
  }
}
