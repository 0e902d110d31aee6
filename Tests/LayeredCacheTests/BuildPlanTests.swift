import CacheStore
import ControlProtocol
import NIOCore
import NIOEmbedded
import Synchronization
import TestSupport
import Testing

@testable import LayeredCache

@Suite("The plan of the next build")
struct BuildPlanTests {
  private let key = CacheKey(plan: "0123456789abcdef")!

  private func keys(_ numbers: some Sequence<Int>) -> [CacheKey] { numbers.map { CacheKey(test: $0) } }

  private func numbers(_ plan: BuildPlan?) -> [Int]? { plan?.keys.map { Int($0.bytes[7]) } }

  // MARK: - Its content

  @Test("has the keys that tools got or stored, in the order in which they first did, each once")
  func journal() throws {
    try withTemporaryDirectory { directory in
      let cache = LayeredCache(local: try CacheStore(directory: directory, maxSize: 1_000_000))
      let account = StatisticsAccount(keepsJournal: true)
      func store(_ number: Int) {
        let writer = cache.local.makeWriter(key: CacheKey(test: number), digest: SHA256Digest())
        cache.record(writer.commit(duration: nil, mode: .replace), of: CacheKey(test: number), for: account)
      }
      let loop = EmbeddedEventLoop()
      #expect(try cache.find(CacheKey(test: 2), for: account, on: loop) == nil)
      store(1)
      store(2)
      _ = try cache.find(CacheKey(test: 1), for: account, on: loop)
      let fetched = FetchedEntry(layer: .peers, size: 1, duration: nil, body: ByteBuffer(bytes: [1]))
      #expect(cache.finish(CacheKey(test: 3), fetched, isBodyEnough: true, for: account) != nil)
      #expect(cache.finish(CacheKey(test: 4), fetched, isBodyEnough: true, for: StatisticsAccount()) != nil)
      _ = try cache.find(CacheKey(test: 5), for: account, on: loop)
      #expect(account.journaledKeys == keys([1, 2, 3]))
    }
  }

  @Test("has no more keys than its limit")
  func limit() throws {
    var journal = BuildJournal()
    for number in 0...BuildPlan.limit { journal.note(CacheKey(test: number)) }
    #expect(journal.keys.count == BuildPlan.limit)
    let plan = try #require(BuildPlan(keys: (0...BuildPlan.limit).map { CacheKey(test: $0) }))
    #expect(plan.keys == journal.keys && plan.encoded.count <= BuildPlan.largestSize)
    #expect(BuildPlan(bytes: plan.encoded) == plan)
  }

  @Test("is that of the last build, as long as that was a whole one")
  func whole() {
    let old = BuildPlan(keys: keys(0..<10))
    #expect(numbers(BuildPlan(of: keys(0..<3), after: nil)) == [0, 1, 2])
    #expect(numbers(BuildPlan(of: keys(5..<12), after: old)) == Array(5..<12))
    #expect(BuildPlan(of: [], after: old) == nil && BuildPlan(of: [], after: nil) == nil)
  }

  @Test("stays when a build asked for the same, in whatever order")
  func same() {
    #expect(BuildPlan(of: keys((0..<10).reversed()), after: BuildPlan(keys: keys(0..<10))) == nil)
  }

  @Test("keeps what a partial build did not ask for, and begins with what is new")
  func partial() {
    let old = BuildPlan(keys: keys(0..<10))
    #expect(numbers(BuildPlan(of: keys([3, 11, 4]), after: old)) == [11] + Array(0..<10))
    #expect(BuildPlan(of: keys([3, 4]), after: old) == nil)
  }

  @Test("has no plan's key in it")
  func plans() {
    #expect(BuildPlan(keys: [key]) == nil)
    #expect(BuildPlan(keys: [key, CacheKey(test: 1)])?.keys == [CacheKey(test: 1)])
  }

  // MARK: - Its key

  @Test("is found under 16 hexadecimal digits, and under nothing else")
  func planKey() {
    #expect(key.description == "fabrik-plan/0123456789abcdef")
    for text in [
      "", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "0123456789ABCDEF", "../../../../etc/",
    ] {
      #expect(CacheKey(plan: text) == nil)
    }
  }

  // MARK: - Its bytes

  @Test("comes back from its bytes, with keys of several namespaces")
  func roundTrip() throws {
    let others = try [[1], [UInt8](repeating: 7, count: 128)].map {
      try #require(CacheKey(namespace: "bazel-cas", bytes: $0))
    }
    let plan = try #require(BuildPlan(keys: [others[0]] + keys(0..<300) + [others[1]]))
    #expect(BuildPlan(bytes: plan.encoded) == plan)
  }

  @Test(
    "is refused when it is not well-formed",
    arguments: [
      [], Array("FBP1".utf8), Array("FBP2".utf8) + [1, 1, 97, 1, 0, 0, 0, 0, 1, 1],
      Array("FBP1".utf8) + [0, 1, 0, 0, 0, 0, 1, 1], Array("FBP1".utf8) + [1, 1, 97, 0, 0, 0, 0],
      Array("FBP1".utf8) + [1, 1, 97, 1, 0, 0, 0, 1, 1, 1], Array("FBP1".utf8) + [1, 1, 97, 1, 0, 0, 0, 0, 0],
      Array("FBP1".utf8) + [1, 1, 97, 1, 0, 0, 0, 0, 1, 1, 9], Array("FBP1".utf8) + [1, 1, 97, 2, 0, 0, 0, 0, 1, 1],
      Array("FBP1".utf8) + [1, 1, 65, 1, 0, 0, 0, 0, 1, 1], Array("FBP1".utf8) + [1, 1, 0xff, 1, 0, 0, 0, 0, 1, 1],
      Array("FBP1".utf8) + [1, 0, 1, 0, 0, 0, 0, 1, 1], Array("FBP1".utf8) + [1, 1, 97, 255, 255, 255, 255, 0, 1, 1],
      Array("FBP1".utf8) + [1, 1, 97, 1, 0, 0, 0, 0, 129] + [UInt8](repeating: 1, count: 129),
      Array("FBP1".utf8) + [1, 11] + Array("fabrik-plan".utf8) + [1, 0, 0, 0, 0, 1, 1],
    ] as [[UInt8]])
  func malformed(bytes: [UInt8]) {
    #expect(BuildPlan(bytes: bytes) == nil)
    #expect(BuildPlan(bytes: Array("FBP1".utf8) + [1, 1, 97, 1, 0, 0, 0, 0, 1, 1]) != nil)
  }

  @Test("of changed bytes is another, or none", arguments: 0..<20)
  func fuzz(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let encoded = try #require(BuildPlan(keys: keys(0..<5))).encoded
    for _ in 0..<500 {
      var bytes = encoded
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      bytes.removeLast(Int.random(in: 0...1, using: &generator) * Int.random(in: 0..<bytes.count, using: &generator))
      if let plan = BuildPlan(bytes: bytes) { #expect(BuildPlan(bytes: plan.encoded) == plan) }
    }
  }

  // MARK: - Its place

  @Test("is an entry like any other, that other machines are told of; nothing is written without need")
  func storing() throws {
    final class Keys: Sendable { let list = Mutex<[CacheKey]>([]) }
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 1_000_000)
      let (cache, told) = (LayeredCache(local: store), Keys())
      cache.onStore { event in told.list.withLock { $0.append(event.key) } }
      cache.storePlan(key, of: keys(0..<3), digest: SHA256Digest())
      #expect(store.body(key) == nil, "there is nobody to fetch from")
      cache.add(FakeLayer(.peers))
      cache.storePlan(key, of: [], digest: SHA256Digest())
      #expect(store.body(key) == nil)
      for _ in 0..<2 { cache.storePlan(key, of: keys(0..<3), digest: SHA256Digest()) }
      #expect(store.body(key) == BuildPlan(keys: keys(0..<3))?.encoded)
      #expect(told.list.withLock { $0 } == [key])
      cache.storePlan(key, of: keys(1..<4), digest: SHA256Digest())
      #expect(numbers(cache.plan(key)) == [1, 2, 3])
      #expect(told.list.withLock { $0 } == [key, key])
      store.put(key, [1, 2, 3])
      cache.storePlan(key, of: keys(0..<1), digest: SHA256Digest())
      #expect(numbers(cache.plan(key)) == [0], "what cannot be read does not stay")
    }
  }
}
