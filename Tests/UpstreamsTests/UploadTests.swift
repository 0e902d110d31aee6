import CacheStore
import ChannelSupport
import ControlProtocol
import LayeredCache
import NIOCore
import NIOPosix
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// How entries are sent up.
@Suite(.timeLimit(.minutes(2)))
struct UploadTests {
  private func entries(_ count: Int, in bench: UpstreamBench) -> [FakeObject] {
    (0..<count).map { number in
      let object = FakeObject(key: CacheKey(test: number), body: Array("body \(number)".utf8), duration: 5)
      bench.local.put(object.key, object.body, duration: 5)
      return object
    }
  }

  private func objects(_ entries: [FakeObject]) throws -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: try entries.map { ($0.path, try $0.bytes()) })
  }

  /// The file with what was left.
  private func leftOver(_ bench: UpstreamBench) throws -> FilePath? {
    let directory = bench.directory.appending("data/uploads")
    return try? FileSystem.entries(of: directory).first.map { directory.appending($0) }
  }

  @Test func `what tools make is sent, each once, and then nothing is under way`() async throws {
    let store = try await FakeStore()
    try await withBench([store]) { (bench) async throws in
      let entries = entries(30, in: bench)
      for entry in entries { bench.group.stored(StoreEvent(key: entry.key)) }
      try await bench.settle()
      #expect(try store.objects == objects(entries))
      #expect(store.requests.count == 30 && store.requests.allSatisfy { $0.method == "PUT" })
      #expect(store.requests.first?.headers["content-type"] == "application/octet-stream")
      #expect(bench.transfers.current == 0 && bench.group.uploads == 0)
    }
  }

  @Test(arguments: [0, 70_000, 5_000_000]) func `bodies of all sizes arrive`(size: Int) async throws {
    let store = try await FakeStore()
    try await withBench([store]) { (bench) async throws in
      var generator = SeededGenerator(seed: 1)
      let object = FakeObject(key: CacheKey(test: 1), body: generator.bytes(size))
      bench.local.put(object.key, object.body)
      bench.group.stored(StoreEvent(key: object.key))
      try await bench.settle()
      #expect(try store.objects == [object.path: object.bytes()])
    }
  }

  @Test func `an entry that waits already is sent once, with what it is then`() async throws {
    let gate = FakeStore.group.next().makePromise(of: Void.self)
    let store = try await FakeStore { _ in .status(201, gate: gate.futureResult) }
    try await withBench([store]) { (bench) async throws in
      let entries = entries(5, in: bench)
      for entry in entries.prefix(4) { bench.group.stored(StoreEvent(key: entry.key)) }
      try await store.awaitRequests(4)
      for _ in 0..<3 { bench.group.stored(StoreEvent(key: entries[4].key)) }
      #expect(bench.group.uploads == 5 && bench.transfers.current == 4)
      bench.local.put(entries[4].key, [9, 9, 9])
      gate.succeed()
      try await bench.settle()
      #expect(store.requests.count == 5)
      #expect(store.requests.last?.body.suffix(3) == [9, 9, 9])
    }
  }

  @Test func `of more than may wait, the oldest are dropped`() async throws {
    let gate = FakeStore.group.next().makePromise(of: Void.self)
    let store = try await FakeStore { _ in .status(201, gate: gate.futureResult) }
    try await withBench([store]) { (bench) async throws in
      let first = entries(4, in: bench)
      for entry in first { bench.group.stored(StoreEvent(key: entry.key)) }
      try await store.awaitRequests(4)
      for number in 0..<UploadQueue.limit + 100 { bench.group.stored(StoreEvent(key: CacheKey(test: 1000 + number))) }
      #expect(bench.group.uploads == UploadQueue.limit + 4)
      gate.succeed()
    }
  }

  @Test func `an entry that is gone meanwhile is left out`() async throws {
    let store = try await FakeStore()
    try await withBench([store]) { (bench) async throws in
      bench.group.stored(StoreEvent(key: CacheKey(test: 77)))
      let entry = entries(1, in: bench)
      bench.group.stored(StoreEvent(key: entry[0].key))
      try await bench.settle()
      #expect(store.requests.map(\.path) == [entry[0].path])
      #expect(bench.group.takeNotices() == [])
    }
  }

  @Test func `a failure is tried again, twice`() async throws {
    let store = try await FakeStore()
    try await withBench([store]) { (bench) async throws in
      let entry = entries(1, in: bench)[0]
      store.answer { _ in store.requests.count < 2 ? .status(500) : nil }
      bench.group.stored(StoreEvent(key: entry.key))
      try await bench.settle()
      #expect(try store.requests.count == 3 && store.objects == objects([entry]))
      #expect(bench.group.takeNotices() == [])
    }
  }

  @Test func `an entry that fails three times is told of, although others are taken`() async throws {
    let store = try await FakeStore()
    try await withBench([store]) { (bench) async throws in
      let entries = entries(40, in: bench)
      store.answer { $0.path == entries[0].path ? .status(500) : nil }
      for entry in entries.reversed() { bench.group.stored(StoreEvent(key: entry.key)) }
      try await bench.settle()
      #expect(try store.requests.count == 42 && store.objects == objects(Array(entries.dropFirst())))
      #expect(bench.group.takeNotices() == ["upstream \(store.url) fails (500): see its own log"])
    }
  }

  @Test func `what the store does not take for its size is not tried again`() async throws {
    let store = try await FakeStore { _ in .status(413) }
    try await withBench([store]) { (bench) async throws in
      let entries = entries(6, in: bench)
      for entry in entries { bench.group.stored(StoreEvent(key: entry.key)) }
      try await bench.settle()
      #expect(store.requests.count == 6)
      #expect(bench.group.takeNotices() == ["upstream \(store.url) does not take an object of this size (413)"])
    }
  }

  @Test func `a store that cannot be written to is left alone for a while, and then gets what has waited`() async throws
  {
    let store = try await FakeStore { _ in .status(403) }
    try await withBench([store]) { (bench) async throws in
      let entries = entries(20, in: bench)
      for entry in entries { bench.group.stored(StoreEvent(key: entry.key)) }
      try await store.awaitRequests(1)
      #expect(await eventually { bench.transfers.current == 0 })
      let asked = store.requests.count
      #expect(asked <= 8 && bench.group.uploads == 20)
      #expect(bench.group.takeNotices().count == 1)
      // It can be read meanwhile.
      #expect(bench.group.layers[0].mayHold(CacheKey(test: 1)))
      store.answer { _ in nil }
      try await bench.settle()
      #expect(try store.objects == objects(entries))
      #expect(bench.group.takeNotices() == [])
    }
  }

  @Test func `what was not sent when a server ends is sent by the next`() async throws {
    let silent = try await FakeStore { _ in .text("", ending: .silence) }
    try await withTemporaryDirectory { directory in
      let settings = [UpstreamSettings(url: silent.url, timeout: 30_000)]
      let first = try UpstreamBench(settings, in: directory)
      first.group.prepare()
      let entries = entries(10, in: first)
      for entry in entries { first.group.stored(StoreEvent(key: entry.key)) }
      try await silent.awaitRequests(4)
      first.group.stop()
      #expect(first.transfers.current == 0)
      let file = try #require(try leftOver(first))
      let lines = try #require(SmallFile.read(file)).split(separator: "\n").map(String.init)
      #expect(Set(lines) == Set(entries.map { "\($0.key)" }) && lines.count == 10)
      #expect(try Files.permissions(file) == 0o600)

      // A server that ends before it has begun keeps them.
      let hasty = try UpstreamBench(settings, in: directory)
      hasty.group.stop()
      hasty.group.prepare()
      #expect(SmallFile.read(file)?.split(separator: "\n").count == 10)
      // One that has something itself adds to them.
      let other = try UpstreamBench(settings, in: directory)
      other.group.stored(StoreEvent(key: CacheKey(test: 500)))
      other.group.stop()
      #expect(SmallFile.read(file)?.split(separator: "\n").count == 11)

      silent.answer { _ in nil }
      try Files.write(
        "nonsense\n/\n\ntest/xyz\ntest/\n../../etc/passwd\n" + #require(SmallFile.read(file)) + "test/00", to: file)
      let second = try UpstreamBench(settings, in: directory)
      second.group.prepare()
      try await second.settle()
      #expect(try silent.objects == objects(entries))
      #expect(try leftOver(second) == nil)
      second.group.stop()
      #expect(try leftOver(second) == nil)
    }
    try await silent.close()
  }

  @Test func `more than fits into the file is not kept, the newest first`() async throws {
    try withTemporaryDirectory { directory in
      let settings = [UpstreamSettings(url: "http://127.0.0.1:1")]
      let bench = try UpstreamBench(settings, in: directory)
      for number in 0..<UploadQueue.limit { bench.group.stored(StoreEvent(key: CacheKey(test: number))) }
      bench.group.stop()
      let file = try #require(try leftOver(bench))
      let lines = try #require(SmallFile.read(file)).split(separator: "\n")
      #expect(lines.count > 20_000)
      #expect(lines.last.map(String.init) == "\(CacheKey(test: UploadQueue.limit - 1))")
    }
  }

  @Test func `a store that is only read gets nothing`() async throws {
    let store = try await FakeStore()
    try await withBench([store], change: { $0.isReadOnly = true }) { (bench) async throws in
      bench.group.stored(StoreEvent(key: entries(1, in: bench)[0].key))
      #expect(bench.group.uploads == 0 && bench.transfers.current == 0)
      #expect(try await bench.fetch(CacheKey(test: 9)) == nil)
      #expect(store.requests.map(\.method) == ["GET"])
    }
  }

  @Test(
    arguments: [
      (nil, [], [.regional, .s3]), (.s3, [], [.regional]), (.regional, [], []), (.peers, [], []),
      (nil, [.regional], [.s3]), (nil, [.regional, .s3], []), (.s3, [.regional], []),
    ] as [(CacheLayerName?, Set<CacheLayerName>, [CacheLayerName])])
  func `entries go to the stores that are nearer than where they came from, and not where a build may not go`(
    source: CacheLayerName?, excluded: Set<CacheLayerName>, expected: [CacheLayerName]
  ) async throws {
    try withTemporaryDirectory { directory in
      // Without equipment, everything waits.
      let bench = try UpstreamBench(
        [UpstreamSettings(url: "http://127.0.0.1:1"), UpstreamSettings(url: "s3://bucket")], in: directory)
      bench.group.stored(StoreEvent(key: CacheKey(test: 1), source: source, excluded: excluded))
      #expect(bench.group.uploads == expected.count)
      bench.group.stop()
      let directory = bench.directory.appending("data/uploads")
      let names = Set((try? FileSystem.entries(of: directory)) ?? [])
      let all = [CacheLayerName.regional: "http://127.0.0.1:1\0\0", .s3: "s3://bucket\0\0"]
      let scope = bench.local.scope.tag
      #expect(names == Set(expected.compactMap { all[$0] }.map { ShortHash.name(of: Array($0.utf8) + scope) }))
    }
  }
}
