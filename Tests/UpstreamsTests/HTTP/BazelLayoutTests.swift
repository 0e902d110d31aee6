import CacheStore
import ChannelSupport
import ControlProtocol
import LayeredCache
import NIOCore
import NIOPosix
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// Objects in caches that were made for Bazel.
@Suite(.timeLimit(.minutes(2)))
struct BazelLayoutTests {
  private let digest = SHA256Digest.digest(of: [1, 2, 3])

  @Test(arguments: [0, 1, 127, 128, 16_384, BazelLayout.inlineLimit]) func `what is written is read`(size: Int) {
    let bytes = [UInt8](repeating: 5, count: size)
    let encoded = BazelLayout.encode(.inline(bytes))
    #expect(BazelLayout.decode(encoded) == .inline(bytes))
    #expect(encoded.count <= BazelLayout.resultLimit)
  }

  @Test(arguments: [0, 1, 300, 5_000_000_000, .max] as [UInt64]) func `a digest with its size is read`(size: UInt64) {
    #expect(BazelLayout.decode(BazelLayout.encode(.blob(digest, size: size))) == .blob(digest, size: size))
  }

  @Test func `other fields of an ActionResult are passed over`() {
    // output_files (2), exit_code (4), stderr_raw (7), fields of 4 and of 8 bytes.
    let others: [UInt8] = [0x12, 2, 9, 9, 0x20, 0x80, 1, 0x3a, 1, 7, 0x4d, 1, 2, 3, 4, 0x49, 1, 2, 3, 4, 5, 6, 7, 8]
    #expect(BazelLayout.decode(others + BazelLayout.encode(.inline([1])) + others) == .inline([1]))
    #expect(BazelLayout.decode(others) == nil)
    #expect(BazelLayout.decode([]) == nil)
  }

  @Test(
    arguments: [
      [0x2a], [0x2a, 5, 1], [0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x2b], [0x2c], [0x2e], [0x2f], [0x49, 1],
      [0x4d, 1], [0x20], [0x20, 0x80], [0x32, 2, 0x0a, 9], [0x32, 3, 0x0a, 1, 0x61], [0x30, 1],
    ] as [[UInt8]])
  func `hostile bytes are no result`(bytes: [UInt8]) {
    #expect(BazelLayout.decode(bytes) == nil)
  }

  @Test(arguments: 0..<20 as Range<UInt64>) func `random and cut bytes do no harm`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 { _ = BazelLayout.decode(generator.bytes(Int.random(in: 0...60, using: &generator))) }
    var sound = BazelLayout.encode(.blob(digest, size: 12345))
    for count in 0..<sound.count { _ = BazelLayout.decode(Array(sound.prefix(count))) }
    for index in sound.indices {
      sound[index] = UInt8.random(in: 0...255, using: &generator)
      _ = BazelLayout.decode(sound)
    }
  }

  @Test(arguments: ["00", "zz", String(repeating: "a", count: 63), String(repeating: "a", count: 66)])
  func `what is no SHA-256 is no digest`(text: String) {
    let message: [UInt8] = [0x0a, UInt8(text.utf8.count)] + Array(text.utf8)
    #expect(BazelLayout.decode([0x32, UInt8(message.count)] + message) == nil)
  }

  // MARK: - With a cache

  /// A cache that checks what is put, as those for Bazel do.
  private func cache() async throws -> FakeStore {
    try await FakeStore { request in
      let parts = request.path.split(separator: "/")
      guard parts.count == 2, parts[1].utf8.count == 64, ["ac", "cas"].contains(parts[0]) else { return .status(400) }
      guard request.method == "PUT", parts[0] == "cas" else { return nil }
      return SHA256Digest.digest(of: request.body).description == parts[1] ? nil : .status(400)
    }
  }

  @Test func `what goes up is prepared beside the engine, which answers lookups meanwhile`() async throws {
    let store = try await cache()
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    let gate = FakeStore.group.next().makePromise(of: Void.self)
    pool.submit { _ in try? gate.futureResult.wait() }
    try await withBench([store], change: { $0.layout = .bazel }) { (bench) async throws in
      bench.local.put(CacheKey(test: 1), [UInt8](repeating: 7, count: 200_000))
      let engine = try TransferEngine()
      let ended = bench.loop.makePromise(of: Void.self)
      EntryUpload(
        CacheKey(test: 1), of: bench.upstreams[0],
        equipment: Equipment(engine: engine, sealingKey: nil, scope: "plain"), from: bench.local, pool: pool
      ) { _ in ended.succeed() }.start()
      for number in 2..<5 { #expect(try await bench.fetch(CacheKey(test: number)) == nil) }
      #expect(store.requests.map(\.method) == ["GET", "GET", "GET"])
      gate.succeed()
      try await ended.futureResult.get()
      #expect(store.requests.dropFirst(3).map(\.method) == ["PUT", "PUT"])
      engine.stop()
    }
    try await pool.shutdownGracefully()
  }

  @Test(arguments: [(0, 1), (1000, 1), (200_000, 2)])
  func `an entry goes up and comes down, a large one in two requests`(size: Int, requests: Int) async throws {
    let store = try await cache()
    try await withBench([store], change: { $0.layout = .bazel }) { (bench) async throws in
      var generator = SeededGenerator(seed: 1)
      let (key, body) = (CacheKey(test: 1), generator.bytes(size))
      bench.local.put(key, body, duration: 7)
      bench.group.stored(StoreEvent(key: key))
      try await bench.settle()
      #expect(store.requests.map { String($0.path.prefix(4)) } == ["/cas", "/ac/"].suffix(requests))
      #expect(store.objects.count == requests)
      #expect(bench.local.remove(key))
      let entry = try #require(try await bench.fetch(key))
      #expect(entry.size == UInt64(size) && entry.duration == 7)
      #expect(bench.local.body(key) == body)
      #expect(store.requests.count == 2 * requests && bench.transfers.current == 0)
    }
  }

  @Test func `a result whose blob is gone is a miss`() async throws {
    let store = try await cache()
    try await withBench([store], change: { $0.layout = .bazel }) { (bench) async throws in
      let key = CacheKey(test: 1)
      bench.local.put(key, [UInt8](repeating: 1, count: 200_000))
      bench.group.stored(StoreEvent(key: key))
      try await bench.settle()
      #expect(bench.local.remove(key))
      store.objects = store.objects.filter { $0.key.hasPrefix("/ac/") }
      #expect(try await bench.fetch(key) == nil)
      #expect(bench.local.body(key) == nil && bench.group.rejected == 0)
    }
  }

  @Test func `a blob that is refused has no result written for it`() async throws {
    let store = try await FakeStore { $0.path.hasPrefix("/cas") ? .status(413) : nil }
    try await withBench([store], change: { $0.layout = .bazel }) { (bench) async throws in
      bench.local.put(CacheKey(test: 1), [UInt8](repeating: 1, count: 200_000))
      bench.group.stored(StoreEvent(key: CacheKey(test: 1)))
      try await bench.settle()
      #expect(store.requests.count == 1 && store.objects.isEmpty)
    }
  }

  @Test func `a result of another kind, or without end, is not taken`() async throws {
    let results: [[UInt8]] = [[0x20, 1], [UInt8](repeating: 0x20, count: 200_000), Array("<html>".utf8)]
    for result in results {
      let store = try await FakeStore { _ in .status(200, body: result) }
      try await withBench([store], change: { $0.layout = .bazel }) { (bench) async throws in
        #expect(try await bench.fetch(CacheKey(test: 1)) == nil)
        #expect(bench.group.rejected == 1 && bench.local.body(CacheKey(test: 1)) == nil)
      }
    }
  }
}

/// Which redirections lead to the same host.
struct URLTextTests {
  @Test(arguments: [
    ("/b", "http://h:80/b"), ("http://h/c", "http://h/c"), ("http://H:80/c", "http://H:80/c"),
  ])
  func `the same host is followed`(location: String, target: String) {
    let result = URLText.redirection(from: "http://h/a", to: location)
    #expect(result.map { URLText.origin(of: $0) } == "http://h")
    #expect(result?.hasSuffix(target.suffix(2)) == true)
  }

  @Test(arguments: [
    "//other/b", "https://h/b", "http://h:81/b", "http://h@other/b", "http://other\\@h/b", "http://h\\@other/b",
    "http://h.other/b", "b", "", "ftp://h/b", "http:///b", "http://me@h/b",
  ])
  func `nothing else is`(location: String) {
    #expect(URLText.redirection(from: "http://h/a", to: location) == nil)
  }
}
