import CacheStore
import ControlProtocol
import NIOCore
import NIOEmbedded
import Synchronization
import TestSupport
import Testing

@testable import LayeredCache

@Suite("A lookup beyond the local store")
struct OtherLayersTests {
  private let key = CacheKey(test: 1)
  private let loop = EmbeddedEventLoop()

  private func withCache(_ layers: FakeLayer..., body: (LayeredCache) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let cache = LayeredCache(local: try CacheStore(directory: directory, maxSize: 1_000_000))
      for layer in layers { cache.add(layer) }
      try body(cache)
    }
  }

  /// One whole lookup; nil is a miss.
  private func lookup(_ cache: LayeredCache, _ account: StatisticsAccount = .init()) throws -> [UInt8]? {
    try cache.find(key, asFile: true, for: account, on: loop)?.body
  }

  @Test("asks nobody when nobody may hold it")
  func nobody() throws {
    let layer = FakeLayer(.peers, [CacheKey(test: 2): [1]])
    try withCache(layer) { cache in
      #expect(cache.fetch(key, for: StatisticsAccount(), on: loop) == nil)
      #expect(layer.questions.isEmpty)
    }
    try withCache { #expect($0.fetch(key, for: StatisticsAccount(), on: loop) == nil) }
  }

  @Test("asks the layers in their order, and stops at the first that has it")
  func order() throws {
    let (peers, regional, s3) = (
      FakeLayer(.peers, claims: true), FakeLayer(.regional, [key: [7]]), FakeLayer(.s3, [key: [8]])
    )
    try withCache(peers, regional, s3) { cache in
      let account = StatisticsAccount()
      let first = try lookup(cache, account)
      #expect(first == [7])
      #expect(peers.questions == [key] && regional.questions == [key] && s3.questions.isEmpty)
      #expect(account.current.hits == [.regional: 1] && account.current.lookups == 1)
      let second = try lookup(cache, account)
      #expect(second == [7])
      #expect(account.current.hits == [.regional: 1, .local: 1], "it is here from now on")
      #expect(regional.questions.count == 1)
    }
  }

  @Test("is a miss when no layer has it")
  func miss() throws {
    let layers = [FakeLayer(.peers, claims: true), FakeLayer(.s3, claims: true)]
    try withCache(layers[0], layers[1]) { cache in
      let account = StatisticsAccount()
      let body = try lookup(cache, account)
      #expect(body == nil)
      #expect(layers.allSatisfy { $0.questions == [key] })
      #expect(account.current.misses == 1 && account.current.hitCount == 0)
    }
  }

  @Test("does not ask a layer that the build does not want")
  func excluded() throws {
    let (peers, regional) = (FakeLayer(.peers, [key: [1]]), FakeLayer(.regional, [key: [2]]))
    try withCache(peers, regional) { cache in
      let body = try lookup(cache, StatisticsAccount(excluding: [.peers]))
      #expect(body == [2])
      #expect(peers.questions.isEmpty)
    }
    try withCache(peers) { cache in
      #expect(cache.fetch(key, for: StatisticsAccount(excluding: [.peers]), on: loop) == nil)
    }
  }

  @Test("does not ask a layer that has cost the build more than it gave")
  func exhausted() throws {
    let layer = FakeLayer(.peers, [key: [1]])
    try withCache(layer) { cache in
      let (poor, rich) = (StatisticsAccount(), StatisticsAccount())
      poor.recordWait(for: .peers, milliseconds: 1001, hit: nil)
      #expect(cache.fetch(key, for: poor, on: loop) == nil)
      #expect(poor.admits(.regional), "another layer's budget is its own")
      #expect(poor.current.waitedMilliseconds == 1001)
      let body = try lookup(cache, rich)
      #expect(body == [1], "as is another build's")
    }
  }

  @Test("does not blame a layer for the moment in which it finds out what it holds")
  func settlingIsFree() {
    let account = StatisticsAccount()
    for _ in 0..<100 { account.recordWait(for: .peers, milliseconds: 150, settling: 150, hit: nil) }
    #expect(account.admits(.peers) && account.current.waitedMilliseconds == 15_000)
    for _ in 0..<11 { account.recordWait(for: .peers, milliseconds: 250, settling: 150, hit: nil) }
    #expect(!account.admits(.peers))
  }

  @Test("what was brought because of another entry is a hit of the layer it came from, the first time")
  func brought() throws {
    let layer = FakeLayer(.regional, [key: [1, 2, 3]])
    try withCache(layer) { cache in
      let account = StatisticsAccount()
      let isThere = try cache.bring(key, for: account, on: loop).wait()
      #expect(
        isThere && cache.local.lookup(key)?.body(upTo: 3) == [1, 2, 3] && cache.local.lookup(key)?.body(upTo: 2) == nil)
      #expect(account.current.lookups == 0)
      for expected in [CacheLayerName.regional, .local] {
        let before = account.current.hits[expected] ?? 0
        #expect(try cache.find(key, for: account, on: loop) != nil)
        #expect(account.current.hits[expected] == before + 1)
      }
      #expect(account.current.prefetched.used == 0)
    }
  }

  @Test("waits for a layer that is finding out what it holds, then asks or not")
  func settling() throws {
    for holds in [true, false] {
      let promise = loop.makePromise(of: Void.self)
      let layer = FakeLayer(.peers, settled: promise.futureResult)
      try withCache(layer) { cache in
        let account = StatisticsAccount()
        var found: FoundEntry??
        cache.find(key, for: account, on: loop) { found = .some($0) }
        loop.run()
        #expect(layer.questions.isEmpty)
        if holds { layer.give(key, [5]) }
        layer.settle()
        promise.succeed()
        loop.run()
        #expect(layer.questions.count == (holds ? 1 : 0))
        let answer = try #require(found)
        #expect(answer?.body == (holds ? [5] : nil))
      }
    }
  }

  @Test("does not share a request with a build that asks another layer")
  func flights() throws {
    let (peers, regional) = (FakeLayer(.peers, isHolding: true, claims: true), FakeLayer(.regional, [key: [2]]))
    try withCache(peers, regional) { cache in
      let waiting = try #require(cache.fetch(key, for: StatisticsAccount(), on: loop))
      let body = try lookup(cache, StatisticsAccount(excluding: [.peers]))
      #expect(body == [2])
      peers.release()
      let answer = try waiting.wait()
      #expect(answer?.layer == .regional)
    }
  }

  @Test("counts a hit for the peer it came from; a damaged one is taken back")
  func peers() throws {
    let peer = PeerName(id: "ab", name: "workshop")
    let layer = FakeLayer(.peers, [key: [1, 2, 3]], peer: peer)
    try withCache(layer) { cache in
      let account = StatisticsAccount()
      guard case .entry(let entry, let fetched) = try cache.find(key, asFile: true, for: account, on: loop) else {
        Issue.record("there is no entry")
        return
      }
      var statistics = account.current
      #expect(statistics.hits == [.peers: 1] && statistics.bytes == [.peers: 3] && statistics.savedMilliseconds == 300)
      #expect(statistics.peers["ab"]?.name == "workshop")
      #expect(statistics.peers["ab"]?.hits == 1 && statistics.peers["ab"]?.bytes == 3)
      cache.retract(entry, from: fetched, for: account)
      statistics = account.current
      #expect(statistics.hitCount == 0 && statistics.misses == 1 && statistics.savedMilliseconds == 0)
      #expect(statistics.peers["ab"]?.hits == 0 && statistics.peers["ab"]?.bytes == 0)
    }
  }

  @Test("counts a body that was handed over like one that was read")
  func handedOver() throws {
    try withCache { cache in
      let account = StatisticsAccount()
      let fetched = FetchedEntry(
        layer: .peers, peer: PeerName(id: "ab", name: "x"), size: 10, duration: 20,
        body: ByteBuffer(repeating: 1, count: 10))
      #expect(cache.finish(key, fetched, isBodyEnough: true, for: account)?.body?.count == 10)
      let statistics = account.current
      #expect(statistics.lookups == 1 && statistics.hits == [.peers: 1] && statistics.bytes == [.peers: 10])
      #expect(statistics.savedMilliseconds == 20 && statistics.tools["test"] == .init(lookups: 1, hits: 1))
    }
  }

  @Test("is a miss when what was fetched is gone again")
  func evicted() throws {
    let layer = FakeLayer(.peers, [key: [1]])
    try withCache(layer) { cache in
      let account = StatisticsAccount()
      let fetched = try cache.fetch(key, for: account, on: loop)?.wait()
      #expect(fetched != nil && cache.local.remove(key))
      #expect(cache.finish(key, fetched, isBodyEnough: false, for: account) == nil)
      #expect(account.current.misses == 1)
    }
  }

  @Test("tells of what is here from now on, whether it was fetched or made")
  func observer() throws {
    final class Keys: Sendable { let list = Mutex<[CacheKey]>([]) }
    let (keys, layer) = (Keys(), FakeLayer(.peers, [key: [1]], claims: true))
    try withCache(layer) { cache in
      cache.onStore { event in keys.list.withLock { $0.append(event.key) } }
      _ = try lookup(cache)
      #expect(keys.list.withLock { $0 } == [key])
      for _ in 0..<2 {
        let writer = cache.local.makeWriter(key: CacheKey(test: 2), digest: SHA256Digest())
        [UInt8](repeating: 1, count: 9).withUnsafeBytes { writer.write($0) }
        cache.record(writer.commit(duration: nil, mode: .keepFirst), of: CacheKey(test: 2), for: nil)
      }
      #expect(keys.list.withLock { $0 } == [key, CacheKey(test: 2)], "what was there already is not new")
      _ = try? cache.fetch(CacheKey(test: 3), for: StatisticsAccount(), on: loop)?.wait()
      #expect(keys.list.withLock { $0.count } == 2, "nor is a miss")
    }
  }
}
