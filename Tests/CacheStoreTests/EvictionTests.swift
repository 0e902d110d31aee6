import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

@Suite("Eviction")
struct EvictionTests {
  private static let limit: UInt64 = 1_000_000

  /// Stores bodies of 96 KiB (with their entries, 100 KiB on disk) and looks each up at another time, in this order.
  private func fill(_ store: CacheStore, _ clock: TestClock, _ numbers: some Sequence<Int>) -> [[UInt8]] {
    var generator = SeededGenerator(seed: 1)
    return numbers.map { number in
      let body = generator.bytes(98_304)
      store.put(CacheKey(test: number), body)
      use(number, of: store, clock)
      return body
    }
  }

  private func use(_ number: Int, of store: CacheStore, _ clock: TestClock) {
    clock.advance(minutes: 30)
    #expect(store.lookup(CacheKey(test: number)) != nil)
  }

  private func present(_ store: CacheStore, _ numbers: Range<Int>) -> [Int] {
    numbers.filter { FileSystem.exists(store.entryFile(CacheKey(test: $0))) }
  }

  @Test("a store within its limit loses nothing")
  func withinLimit() throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      let store = try CacheStore(directory: directory, maxSize: Self.limit, now: { clock.now })
      _ = fill(store, clock, 0..<9)
      #expect(!store.needsCollection)
      #expect(try store.collect()?.removedFiles == 0)
      #expect(present(store, 0..<9).count == 9)
    }
  }

  @Test("what was used least recently goes first, down to nine tenths of the limit")
  func leastRecentlyUsed() throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      let store = try CacheStore(directory: directory, maxSize: Self.limit, now: { clock.now })
      _ = fill(store, clock, 0..<14)
      for number in [0, 2, 4] { use(number, of: store, clock) }
      #expect(store.needsCollection)
      let collection = try #require(try store.collect())
      #expect(collection.remainingBytes <= 900_000)
      #expect(collection.remainingBytes == (try store.bytesOnDisk))
      #expect(store.summary.bytes == (try store.bytesOnDisk))
      let left = present(store, 0..<14)
      #expect(left.suffix(4) == [10, 11, 12, 13])
      #expect(Set([0, 2, 4]).isSubset(of: left))
      #expect(Set([1, 3, 5, 6]).isDisjoint(with: left))
      #expect(left.count >= 8, "more was evicted than necessary")
      #expect(store.summary.evicted == 14 - left.count)
      #expect(!store.needsCollection)
      try store.expectSound()
    }
  }

  @Test("a blob that is stored once more counts as used, by the store's clock")
  func putAgain() throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      let store = try CacheStore(directory: directory, maxSize: Self.limit, now: { clock.now })
      let bodies = fill(store, clock, 0..<14)
      clock.advance(minutes: 30)
      store.put(CacheKey(test: 100), bodies[0])
      _ = try store.collect()
      #expect(FileSystem.exists(store.blobFile(of: bodies[0])))
      #expect(!FileSystem.exists(store.blobFile(of: bodies[1])))
    }
  }

  @Test("a target may be named: everything can be evicted", arguments: [0, 250_000] as [UInt64])
  func target(bytes: UInt64) throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      let store = try CacheStore(directory: directory, maxSize: Self.limit, now: { clock.now })
      _ = fill(store, clock, 0..<9)
      let collection = try #require(try store.collect(target: bytes))
      #expect(collection.remainingBytes <= bytes)
      #expect(collection.remainingEntries == store.entryFiles.count)
      #expect(present(store, 0..<9) == (bytes == 0 ? [] : [7, 8]))
      try store.expectSound()
    }
  }

  @Test("a pinned blob stays, however old, and others go in its stead")
  func pinned() throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      let store = try CacheStore(directory: directory, maxSize: Self.limit, now: { clock.now })
      let bodies = fill(store, clock, 0..<14)
      let pinned = (0..<6).map { store.lookup(CacheKey(test: $0)) }
      for entry in pinned { entry?.blob?.pin() }
      for number in 6..<14 { use(number, of: store, clock) }
      let collection = try #require(try store.collect())
      for number in 0..<6 { #expect(FileSystem.exists(store.blobFile(of: bodies[number]))) }
      #expect(collection.remainingBytes <= 900_000)
      #expect(collection.remainingBytes == (try store.bytesOnDisk))
      withExtendedLifetime(pinned) {}
    }
  }

  @Test("a blob that is no longer pinned can be evicted")
  func unpinned() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: Self.limit)
      let body = [UInt8](repeating: 1, count: 98_304)
      store.put(CacheKey(test: 1), body)
      do {
        let entry = store.lookup(CacheKey(test: 1))
        entry?.blob?.pin()
        _ = try store.collect(target: 0)
        #expect(FileSystem.exists(store.blobFile(of: body)))
        withExtendedLifetime(entry) {}
      }
      _ = try store.collect(target: 0)
      #expect(!FileSystem.exists(store.blobFile(of: body)))
    }
  }

  @Test("a blob pinned by another process stays until that process ends", .timeLimit(.minutes(5)))
  func pinnedElsewhere() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory.appending("cache"), maxSize: Self.limit)
      let body = [UInt8](repeating: 1, count: 98_304)
      store.put(CacheKey(test: 1), body)
      let child = try ChildProcess(
        product: "store-writer", arguments: ["pin", store.directory.string, "1"],
        outputFile: directory.appending("output"))
      #expect(child.waitForOutput(lines: 1) == ["pinned"])
      _ = try store.collect(target: 0)
      #expect(FileSystem.exists(store.blobFile(of: body)))
      child.send(signal: SIGKILL)
      #expect(child.wait() == .killed(signal: SIGKILL))
      _ = try store.collect(target: 0)
      #expect(store.blobFiles.isEmpty)
    }
  }

  @Test("only one collection runs at a time, whoever asks")
  func oneAtATime() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let lock = try FileDescriptor.open(store.layout.usage, .readWrite, options: .closeOnExec)
      #expect(flock(lock.rawValue, LOCK_EX) == 0)
      #expect(try store.collect() == nil)
      try lock.close()
      #expect(try store.collect() != nil)
    }
  }
}
