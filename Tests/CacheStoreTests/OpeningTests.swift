import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

@Suite("Opening")
struct OpeningTests {
  @Test("a missing directory is made, with the ones above it, closed to other users")
  func makesDirectory() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory.appending("a/b/c"))
      #expect(try Files.permissions(store.layout.root) == 0o700)
      #expect(store.put(CacheKey(test: 1), [1]) == .stored(bytes: 1))
    }
  }

  @Test("a directory that cannot be made is an error of the system")
  func notADirectory() throws {
    try withTemporaryDirectory { directory in
      try Files.write("", to: directory.appending("file"))
      #expect(throws: Errno.notDirectory) { try CacheStore(directory: directory.appending("file/cache")) }
    }
  }

  @Test("without a limit, a store takes ten gigabytes or a fifth of the disk at most")
  func defaultLimit() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      #expect(store.maxSize > 0)
      #expect(store.maxSize <= 10_000_000_000)
    }
  }

  @Test(
    "a store whose whole directory was deleted takes puts again, in any state", arguments: ["cache", "cache/v1", "."])
  func deletedUnderneath(deleted: String) throws {
    try withTemporaryDirectory { directory in
      let top = directory.appending("top")
      let store = try CacheStore(directory: top.appending("cache"), maxSize: 1_000_000)
      let body = [UInt8](repeating: 1, count: 100_000)
      for number in 0..<3 { store.put(CacheKey(test: number), body) }
      try FileSystem.removeTree(deleted == "." ? top : top.appending(deleted))
      #expect(store.lookup(CacheKey(test: 0)) == nil)
      #expect(store.put(CacheKey(test: 5), body) == .stored(bytes: 100_000))
      #expect(store.body(CacheKey(test: 5)) == body)
      #expect(store.put(CacheKey(test: 6), [1, 2]) == .stored(bytes: 2))
      #expect(store.body(CacheKey(test: 6)) == [1, 2])
      try store.expectSound()
    }
  }

  @Test("a store whose directory was deleted can be collected")
  func collectDeleted() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory.appending("cache"), maxSize: 1_000_000)
      store.put(CacheKey(test: 1), [UInt8](repeating: 1, count: 100_000))
      try FileSystem.removeTree(directory.appending("cache"))
      #expect(try store.collect()?.remainingBytes == 0)
      #expect(store.summary.bytes == 0)
    }
  }

  @Test("counters that are nonsense are corrected by the next collection", arguments: [.min, -1, 77, .max] as [Int64])
  func nonsenseCounters(value: Int64) throws {
    try withTemporaryDirectory { directory in
      try CacheStore(directory: directory).put(CacheKey(test: 1), [UInt8](repeating: 1, count: 100_000))
      let usage = directory.appending("v1/usage")
      var page = try Files.read(usage)
      for field in 0..<2 {
        withUnsafeBytes(of: value.littleEndian) { page.replaceSubrange(field * 8..<field * 8 + 8, with: $0) }
      }
      try Files.write(page, to: usage)
      let store = try CacheStore(directory: directory, maxSize: 1_000_000)
      #expect(store.put(CacheKey(test: 2), [UInt8](repeating: 2, count: 100_000)) == .stored(bytes: 100_000))
      if value == .min { #expect(store.needsCollection, "a count below zero is wrong for sure") }
      try store.expectSound()
      #expect(store.summary.entries == 2)
      #expect(!store.needsCollection)
    }
  }

  @Test("a counter file of another length is made whole", arguments: [0, 1, 100, 5000])
  func counterFileLength(length: Int) throws {
    try withTemporaryDirectory { directory in
      try Files.write([UInt8](repeating: 0, count: length), to: directory.appending("v1/usage"))
      let store = try CacheStore(directory: directory)
      store.put(CacheKey(test: 1), [1])
      #expect(store.summary.entries == 1)
    }
  }

  @Test(
    "takes a fifth of what it could have, but not so little that no build fits, and not more than 10 GB",
    arguments: [
      (1_000_000, 500_000), (400_000_000, 200_000_000), (1_000_000_000, 256_000_000), (5_000_000_000, 1_000_000_000),
      (1_000_000_000_000, 10_000_000_000),
    ] as [(UInt64, UInt64)])
  func defaultSize(available: UInt64, size: UInt64) {
    #expect(CacheStore.defaultMaxSize(available: available) == size)
  }
}
