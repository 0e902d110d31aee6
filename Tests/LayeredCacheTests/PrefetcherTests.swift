import CacheStore
import ControlProtocol
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import LayeredCache

@Suite("What the last build asked for is fetched ahead")
struct PrefetcherTests {
  private static let plan = CacheKey(plan: "0123456789abcdef")!
  private let loop = EmbeddedEventLoop()

  /// One build with a plan of its own. All on one loop, whose clock stands still until it is told to go on.
  private struct Build {
    let cache: LayeredCache
    let store: CacheStore
    let account: StatisticsAccount
    let loop: EmbeddedEventLoop

    /// - Parameter keys: of the plan; none: there is no plan.
    func begin(
      following keys: [CacheKey] = [], _ change: (inout Prefetcher.Limits) -> Void = { _ in }
    ) -> Prefetcher {
      if let plan = BuildPlan(keys: keys) { store.put(PrefetcherTests.plan, plan.encoded) }
      var limits = Prefetcher.Limits()
      change(&limits)
      let prefetcher = Prefetcher(
        cache: cache, plan: PrefetcherTests.plan, account: account, loop: loop, limits: limits)
      prefetcher.start()
      loop.run()
      return prefetcher
    }

    /// A tool's lookup; nil is a miss. The layers must answer at once.
    func lookup(_ key: CacheKey) throws -> [UInt8]? {
      try cache.find(key, asFile: true, for: account, on: loop)?.body
    }

    func expectHit(_ key: CacheKey) throws {
      let body = try lookup(key)
      #expect(body != nil)
    }
  }

  private func withBuild(
    _ layers: [FakeLayer], excluding excluded: Set<CacheLayerName> = [], maxSize: UInt64 = 1 << 30,
    _ body: (Build) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: maxSize)
      let cache = LayeredCache(local: store)
      for layer in layers { cache.add(layer) }
      try body(
        Build(
          cache: cache, store: store, account: StatisticsAccount(excluding: excluded, keepsJournal: true), loop: loop))
    }
  }

  private func keys(_ count: Int) -> [CacheKey] { (0..<count).map { CacheKey(test: $0) } }

  private func holding(_ keys: [CacheKey], size: Int = 10) -> [CacheKey: [UInt8]] {
    Dictionary(uniqueKeysWithValues: keys.map { ($0, [UInt8](repeating: $0.bytes[7], count: size)) })
  }

  // MARK: - What is fetched

  @Test("in the order of the plan, but for what is here already")
  func order() throws {
    var generator = SeededGenerator(seed: 1)
    let keys = keys(100).shuffled(using: &generator)
    let layer = FakeLayer(.peers, holding(keys))
    try withBuild([layer]) { build in
      for key in keys[10..<20] { build.store.put(key, [1]) }
      let prefetcher = build.begin(following: keys)
      #expect(layer.questions == Array(keys[..<10] + keys[20...]))
      #expect(layer.urgencies.allSatisfy { $0 == .prefetch })
      #expect(keys.allSatisfy { build.store.body($0) != nil })
      #expect(prefetcher.isOver)
      var expected = LeaseStatistics()
      expected.prefetched = .init(entries: 90, bytes: 900, used: 0)
      #expect(build.account.current == expected, "nobody has asked for anything yet, nor waited")
    }
  }

  @Test("by a plan of another machine, where this one has none")
  func remotePlan() throws {
    let keys = keys(5)
    let plan = try #require(BuildPlan(keys: keys))
    let layer = FakeLayer(.regional, holding(keys).merging([Self.plan: plan.encoded]) { $1 })
    try withBuild([layer]) { build in
      _ = build.begin()
      #expect(layer.questions == [Self.plan] + keys)
      #expect(layer.urgencies.first == .tool)
      #expect(build.account.current.prefetched == .init(entries: 5, bytes: 50, used: 0))
      #expect(build.store.body(Self.plan) == plan.encoded)
    }
  }

  @Test("from whichever layer has it, and no other")
  func layers() throws {
    let (peers, regional) = (
      FakeLayer(.peers, [CacheKey(test: 0): [1]]), FakeLayer(.regional, [CacheKey(test: 1): [2]])
    )
    try withBuild([peers, regional]) { build in
      _ = build.begin(following: keys(3))
      #expect(peers.questions == [CacheKey(test: 0)] && regional.questions == [CacheKey(test: 1)])
    }
  }

  @Test("and a layer that has lost it is followed by the next")
  func nextLayer() throws {
    let (peers, regional) = (FakeLayer(.peers, claims: true), FakeLayer(.regional, holding(keys(3))))
    try withBuild([peers, regional]) { build in
      _ = build.begin(following: keys(3))
      #expect(peers.questions == keys(3) && regional.questions == keys(3))
      #expect(build.account.current.prefetched.entries == 3)
    }
  }

  @Test("not without a plan, without a layer, or from a layer that the build does not want")
  func nothing() throws {
    let layer = FakeLayer(.peers, holding(keys(3)))
    try withBuild([layer]) { build in
      _ = build.begin()
      #expect(layer.questions.isEmpty)
    }
    try withBuild([]) { build in
      let prefetcher = build.begin(following: keys(3))
      loop.advanceTime(by: .seconds(60))
      #expect(prefetcher.isOver)
    }
    try withBuild([layer], excluding: [.peers]) { build in
      _ = build.begin(following: keys(3))
      loop.advanceTime(by: .seconds(60))
      #expect(layer.questions.isEmpty)
    }
  }

  @Test("not from a layer that has cost the build more than it gave")
  func exhausted() throws {
    let layer = FakeLayer(.peers, holding(keys(40)), isHolding: true)
    try withBuild([layer]) { build in
      _ = build.begin(following: keys(40))
      #expect(layer.questions.count == Prefetcher.Limits().concurrency)
      build.account.recordWait(for: .peers, milliseconds: 1001, hit: nil)
      layer.release()
      #expect(layer.questions.count == Prefetcher.Limits().concurrency)
    }
  }

  @Test("also when a layer comes, or a peer is found, a little later")
  func late() throws {
    let (peers, regional) = (FakeLayer(.peers), FakeLayer(.regional, [CacheKey(test: 1): [1]]))
    try withBuild([]) { build in
      let prefetcher = build.begin(following: keys(2))
      build.cache.add(peers)
      build.cache.add(regional)
      loop.advanceTime(by: .seconds(1))
      #expect(regional.questions == [CacheKey(test: 1)] && peers.questions.isEmpty && !prefetcher.isOver)
      peers.give(CacheKey(test: 0), [2])
      loop.advanceTime(by: .seconds(2))
      #expect(peers.questions == [CacheKey(test: 0)] && prefetcher.isOver)
    }
  }

  @Test("as soon as the layers know what they hold")
  func settling() throws {
    let promise = loop.makePromise(of: Void.self)
    let layer = FakeLayer(.peers, settled: promise.futureResult)
    try withBuild([layer]) { build in
      _ = build.begin(following: keys(2))
      for key in keys(2) { layer.give(key, [1]) }
      #expect(layer.questions.isEmpty)
      layer.settle()
      promise.succeed()
      #expect(layer.questions == keys(2))
    }
  }

  // MARK: - How much

  @Test("not more than so much at a time, of a plan of any length")
  func concurrency() throws {
    let layer = FakeLayer(.peers, holding(keys(300)), isHolding: true)
    try withBuild([layer]) { build in
      _ = build.begin(following: keys(300))
      let atATime = Prefetcher.Limits().concurrency
      for round in 1...(300 / atATime) {
        #expect(layer.questions.count == atATime * round && layer.unanswered == atATime)
        layer.release()
        loop.run()
      }
      layer.release()
      loop.run()
      #expect(layer.questions == keys(300))
    }
  }

  @Test("not faster than it can be stored")
  func storing() throws {
    let layer = FakeLayer(.peers, holding(keys(10)), storesLater: true)
    try withBuild([layer]) { build in
      _ = build.begin(following: keys(10)) { $0.concurrency = 2 }
      #expect(layer.questions.count == 2)
      layer.store()
      #expect(layer.questions.count == 4)
    }
  }

  @Test("up to so many bytes")
  func bytes() throws {
    let layer = FakeLayer(.peers, holding(keys(20), size: 1000))
    try withBuild([layer]) { build in
      let prefetcher = build.begin(following: keys(20)) {
        $0.bytes = 4001
        $0.concurrency = 1
      }
      #expect(layer.questions.count == 5 && prefetcher.isOver)
    }
  }

  @Test("up to a quarter of what the local store takes")
  func smallStore() throws {
    let layer = FakeLayer(.peers, holding(keys(20), size: 100_000))
    try withBuild([layer], maxSize: 2_000_000) { build in
      _ = build.begin(following: keys(20)) { $0.concurrency = 1 }
      #expect(layer.questions.count == 5)
    }
  }

  @Test("for half a minute")
  func time() throws {
    let layer = FakeLayer(.peers, holding(keys(20)), isHolding: true)
    try withBuild([layer]) { build in
      let prefetcher = build.begin(following: keys(20)) { $0.concurrency = 1 }
      loop.advanceTime(by: .milliseconds(29_999))
      layer.release()
      #expect(layer.questions.count == 2)
      loop.advanceTime(by: .milliseconds(1))
      layer.release()
      #expect(layer.questions.count == 2 && prefetcher.isOver)
    }
  }

  @Test("until the build ends; what is under way still comes")
  func stop() throws {
    let layer = FakeLayer(.peers, holding(keys(40)), isHolding: true)
    try withBuild([layer]) { build in
      let prefetcher = build.begin(following: keys(40))
      prefetcher.stop()
      layer.release()
      loop.advanceTime(by: .seconds(60))
      #expect(layer.questions == keys(Prefetcher.Limits().concurrency))
      #expect(keys(40).filter { build.store.body($0) != nil } == keys(Prefetcher.Limits().concurrency))
    }
  }

  @Test("until the plan shows to be out of date: at first nothing of it is there, or later less than half")
  func stale() throws {
    let nobody = FakeLayer(.peers, claims: true)
    try withBuild([nobody]) { build in
      let prefetcher = build.begin(following: keys(200))
      #expect(nobody.questions.count == 32 && prefetcher.isOver)
    }
    for (part, asked) in [(3, 128), (2, 200)] {
      let some = FakeLayer(.peers, holding(keys(200).filter { $0.bytes[7] % UInt8(part) == 0 }), claims: true)
      try withBuild([some]) { build in
        _ = build.begin(following: keys(200))
        #expect(some.questions.count == asked)
      }
    }
  }

  @Test("by no plan that is damaged: it is removed, and another asked for, not for ever")
  func hostilePlan() throws {
    let layer = FakeLayer(.peers, [Self.plan: Array("FBP1 and so on".utf8)])
    try withBuild([layer]) { build in
      build.store.put(Self.plan, [1, 2, 3])
      let prefetcher = build.begin()
      loop.advanceTime(by: .seconds(20))
      #expect(layer.questions == [Self.plan, Self.plan, Self.plan] && prefetcher.isOver)
      #expect(build.store.body(Self.plan) == nil)
    }
  }

  // MARK: - Tools

  @Test("a tool that asks for what is on its way gets that, and makes the layer hurry")
  func join() throws {
    let layer = FakeLayer(
      .peers, holding(keys(2)), peer: PeerName(id: "ab", name: "desk"), isHolding: true)
    try withBuild([layer]) { build in
      _ = build.begin(following: keys(2))
      var found: FoundEntry?
      build.cache.find(CacheKey(test: 1), for: build.account, on: loop) { found = $0 }
      #expect(layer.questions == keys(2) && layer.expedited == [CacheKey(test: 1)])
      layer.release()
      loop.run()
      #expect(found != nil)
      #expect(build.account.current.hits == [.peers: 1])
      #expect(build.account.current.prefetched == .init(entries: 2, bytes: 20, used: 1))
      try build.expectHit(CacheKey(test: 1))
      #expect(build.account.current.hits == [.peers: 1, .local: 1], "from then on it is here")
    }
  }

  @Test("what a tool has asked for already is not fetched a second time, nor counted as ahead")
  func toolFirst() throws {
    let layer = FakeLayer(.peers, holding(keys(1)), isHolding: true)
    try withBuild([layer]) { build in
      let answer = try #require(build.cache.fetch(CacheKey(test: 0), for: build.account, on: loop))
      _ = build.begin(following: keys(1))
      layer.release()
      let fetched = try answer.wait()
      #expect(fetched != nil)
      #expect(layer.questions == keys(1) && layer.urgencies == [.tool] && layer.expedited.isEmpty)
      #expect(build.account.current.prefetched == .init())
    }
  }

  @Test("the first hit counts for where it came from, later ones for the local store; other builds' are local")
  func attribution() throws {
    let layer = FakeLayer(.peers, holding(keys(3)), peer: PeerName(id: "ab", name: "desk"))
    try withBuild([layer]) { build in
      _ = build.begin(following: keys(3))
      try build.expectHit(CacheKey(test: 2))
      #expect(build.account.current.hits == [.peers: 1] && build.account.current.peers["ab"]?.hits == 1)
      #expect(build.account.current.bytes == [.peers: 10] && build.account.current.savedMilliseconds == 300)
      try build.expectHit(CacheKey(test: 2))
      #expect(build.account.current.hits == [.peers: 1, .local: 1] && build.account.current.peers["ab"]?.hits == 1)
      #expect(build.account.current.prefetched == .init(entries: 3, bytes: 30, used: 1))
      let other = StatisticsAccount()
      #expect(try build.cache.find(CacheKey(test: 1), for: other, on: loop) != nil)
      #expect(other.current.hits == [.local: 1])
      #expect(layer.questions.count == 3)
    }
  }

  @Test("what has come but is not stored yet is not asked for again")
  func notStored() throws {
    let layer = FakeLayer(.peers, holding(keys(1)), storesLater: true)
    try withBuild([layer]) { build in
      _ = build.begin(following: keys(1))
      #expect(build.store.body(CacheKey(test: 0)) == nil)
      let found = try build.cache.find(CacheKey(test: 0), for: build.account, on: loop)
      #expect(layer.questions.count == 1 && found?.body?.count == 10)
      #expect(build.account.current.hits == [.peers: 1] && build.account.current.prefetched.used == 1)
      layer.store()
      try build.expectHit(CacheKey(test: 0))
      #expect(build.account.current.hits == [.peers: 1, .local: 1])
    }
  }
}
