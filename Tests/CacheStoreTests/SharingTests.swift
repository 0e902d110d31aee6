import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

@Suite("Replacing and sharing")
struct SharingTests {
  private static let sizes = [0, 10, 3000, 5000, 200_000]

  @Test("a replacing put takes the place of what was there", arguments: sizes, sizes)
  func replace(before: Int, after: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let key = CacheKey(test: 1)
      store.put(key, [UInt8](repeating: 1, count: before))
      #expect(store.put(key, [UInt8](repeating: 2, count: after)) == .stored(bytes: UInt64(after)))
      #expect(store.body(key) == [UInt8](repeating: 2, count: after))
      #expect(store.summary.entries == 1)
      try store.expectSound()
    }
  }

  @Test("a put that keeps the first changes nothing", arguments: sizes)
  func keepFirst(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let key = CacheKey(test: 1)
      let first = [UInt8](repeating: 1, count: size)
      #expect(store.put(key, first, mode: .keepFirst) == .stored(bytes: UInt64(size)))
      #expect(store.put(key, [9, 9], duration: 5, mode: .keepFirst) == .alreadyThere)
      #expect(store.body(key) == first)
      #expect(store.lookup(key)?.record.duration == nil)
      try store.expectSound()
    }
  }

  @Test("equal bodies of different keys lie on disk once")
  func sharedBlob() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 5, count: 100_000)
      for number in 0..<10 { store.put(CacheKey(test: number), body) }
      #expect(store.blobFiles.count == 1)
      #expect(store.summary.bytes == (try store.bytesOnDisk))
      for number in 0..<10 { #expect(store.body(CacheKey(test: number)) == body) }
    }
  }

  @Test("a blob that is stored once more need not be checked again")
  func sharedBlobStaysVerified() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 5, count: 100_000)
      store.put(CacheKey(test: 1), body)
      #expect(store.lookup(CacheKey(test: 1))?.isVerified == true)
      store.put(CacheKey(test: 2), body)
      #expect(store.lookup(CacheKey(test: 1))?.isVerified == true)
      #expect(store.lookup(CacheKey(test: 2))?.isVerified == true)
    }
  }

  @Test("a blob found on disk counts as checked once somebody has read it whole")
  func verification() throws {
    try withTemporaryDirectory { directory in
      try CacheStore(directory: directory).put(CacheKey(test: 1), [UInt8](repeating: 5, count: 100_000))
      let store = try CacheStore(directory: directory)
      let entry = try #require(store.lookup(CacheKey(test: 1)))
      #expect(!entry.isVerified)
      entry.reportVerified()
      #expect(store.lookup(CacheKey(test: 1))?.isVerified == true)
    }
  }

  @Test("removing one key leaves the others their shared body")
  func removeOne() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 5, count: 100_000)
      store.put(CacheKey(test: 1), body)
      store.put(CacheKey(test: 2), body)
      #expect(store.remove(CacheKey(test: 1)))
      #expect(!store.remove(CacheKey(test: 1)))
      #expect(store.lookup(CacheKey(test: 1)) == nil)
      #expect(store.body(CacheKey(test: 2)) == body)
      try store.expectSound()
    }
  }

  @Test("entries of two scopes never meet under the same key")
  func scopes() throws {
    try withTemporaryDirectory { directory in
      let own = try CacheStore(directory: directory)
      let team = try CacheStore(directory: directory, scope: Scope(tag: [UInt8](repeating: 9, count: 16)))
      let key = CacheKey(test: 1)
      own.put(key, [1])
      #expect(team.lookup(key) == nil)
      team.put(key, [2])
      #expect(own.body(key) == [1])
      #expect(team.body(key) == [2])
      #expect(team.remove(key))
      #expect(own.body(key) == [1])
    }
  }

  @Test("an open entry can be read to its end after its removal", arguments: [100, 100_000])
  func readAfterRemoval(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 8, count: size)
      store.put(CacheKey(test: 1), body)
      let entry = try #require(store.lookup(CacheKey(test: 1)))
      _ = store.clear()
      #expect(store.lookup(CacheKey(test: 1)) == nil)
      #expect(entry.body == body)
    }
  }

  @Test("clearing empties the store and says how much was freed")
  func clear() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      for number in 0..<5 { store.put(CacheKey(test: number), [UInt8](repeating: UInt8(number), count: 20_000)) }
      let before = store.summary.bytes
      #expect(store.clear() == before)
      #expect(store.summary == .init(bytes: 0, entries: 0, damaged: 0, evicted: 0, maxSize: store.maxSize))
      #expect(store.entryFiles.isEmpty && store.blobFiles.isEmpty)
    }
  }
}
