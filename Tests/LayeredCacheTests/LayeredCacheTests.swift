import CacheStore
import ControlProtocol
import NIOEmbedded
import TestSupport
import Testing

@testable import LayeredCache

@Suite("The layers' answers, and what is counted of them")
struct LayeredCacheTests {
  private let loop = EmbeddedEventLoop()

  private func withCache(_ body: (LayeredCache, StatisticsAccount) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 1_000_000)
      try body(LayeredCache(local: store), StatisticsAccount())
    }
  }

  private func put(
    _ key: CacheKey, size: Int, duration: UInt32? = nil, mode: EntryWriter.Mode = .replace, _ cache: LayeredCache,
    _ account: StatisticsAccount
  ) -> EntryWriter.Outcome {
    let writer = cache.local.makeWriter(key: key, digest: SHA256Digest())
    [UInt8](repeating: 1, count: size).withUnsafeBytes { writer.write($0) }
    let outcome = writer.commit(duration: duration, mode: mode)
    cache.record(outcome, of: key, for: account)
    return outcome
  }

  @Test("a miss counts as a lookup of its tool")
  func miss() throws {
    try withCache { cache, account in
      let found = try cache.find(CacheKey(test: 1), for: account, on: loop)
      #expect(found == nil)
      #expect(account.current.lookups == 1)
      #expect(account.current.misses == 1)
      #expect(account.current.tools == ["test": .init(lookups: 1, hits: 0)])
    }
  }

  @Test("a hit counts with its bytes and the time it saved, for the account that asked")
  func hit() throws {
    try withCache { cache, account in
      _ = put(CacheKey(test: 1), size: 5000, duration: 700, cache, StatisticsAccount())
      #expect(try cache.find(CacheKey(test: 1), for: account, on: loop)?.entry?.size == 5000)
      _ = try cache.find(CacheKey(test: 1), for: account, on: loop)
      let statistics = account.current
      #expect(statistics.lookups == 2 && statistics.misses == 0 && statistics.stored == 0)
      #expect(statistics.hits == [.local: 2])
      #expect(statistics.bytes == [.local: 10_000])
      #expect(statistics.savedMilliseconds == 1400)
      #expect(statistics.tools == ["test": .init(lookups: 2, hits: 2)])
    }
  }

  @Test("a hit that turns out to be damaged becomes a miss")
  func retracted() throws {
    try withCache { cache, account in
      _ = put(CacheKey(test: 1), size: 100, duration: 700, cache, StatisticsAccount())
      let entry = try #require(try cache.find(CacheKey(test: 1), for: account, on: loop)?.entry)
      cache.retract(entry, from: nil, for: account)
      let statistics = account.current
      #expect(statistics.lookups == 1 && statistics.misses == 1 && statistics.hitCount == 0)
      #expect(statistics.bytes[.local] == 0)
      #expect(statistics.savedMilliseconds == 0)
      #expect(statistics.tools["test"] == .init(lookups: 1, hits: 0))
    }
  }

  @Test("only what was stored counts as stored")
  func stored() throws {
    try withCache { cache, account in
      #expect(put(CacheKey(test: 1), size: 300, cache, account) == .stored(bytes: 300))
      #expect(put(CacheKey(test: 1), size: 300, mode: .keepFirst, cache, account) == .alreadyThere)
      #expect(put(CacheKey(test: 2), size: 1_000_001, cache, account) != .stored(bytes: 1_000_001))
      #expect(account.current.stored == 1)
      #expect(account.current.storedBytes == 300)
      #expect(account.current.lookups == 0)
      #expect(!account.current.isEmpty)
    }
  }

  @Test("asking whether there is an entry counts as nothing; a removed one is there no more")
  func containsAndRemove() throws {
    try withCache { cache, account in
      #expect(!cache.local.contains(CacheKey(test: 1)))
      _ = put(CacheKey(test: 1), size: 1, cache, StatisticsAccount())
      #expect(cache.local.contains(CacheKey(test: 1)))
      #expect(cache.local.remove(CacheKey(test: 1)))
      #expect(!cache.local.remove(CacheKey(test: 1)))
      #expect(!cache.local.contains(CacheKey(test: 1)))
      #expect(account.current.isEmpty)
    }
  }

  @Test("a store beyond its limit is brought back below it")
  func collect() throws {
    try withCache { cache, account in
      for number in 0..<12 {
        let writer = cache.local.makeWriter(key: CacheKey(test: number), digest: SHA256Digest())
        [UInt8](repeating: UInt8(number), count: 100_000).withUnsafeBytes { writer.write($0) }
        _ = writer.commit(duration: nil, mode: .replace)
      }
      #expect(cache.local.needsCollection)
      _ = try cache.local.collect()
      #expect(!cache.local.needsCollection)
    }
  }

  @Test("counts of several threads add up")
  func threads() async {
    let account = StatisticsAccount()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<500 {
            account.record(CacheKey(test: 1), hit: .init(layer: .peers, bytes: 2, duration: nil))
            account.recordStored(CacheKey(test: 1), bytes: 1)
          }
        }
      }
    }
    #expect(account.current.hits == [.peers: 4000])
    #expect(account.current.bytes == [.peers: 8000])
    #expect(account.current.storedBytes == 4000)
  }
}
