import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

@Suite("Why an entry is gone")
struct RemovalTests {
  private let key = CacheKey(test: 1)

  @Test("is known to every process that uses the store")
  func causes() throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      let store = try CacheStore(directory: directory, maxSize: 1_000_000, now: { clock.now })
      let other = try CacheStore(directory: directory, maxSize: 1_000_000)
      #expect(store.removalCause(of: key) == nil)
      store.put(key, [1])
      #expect(store.removalCause(of: key) == nil)
      #expect(store.remove(key))
      #expect(store.removalCause(of: key) == .removed && other.removalCause(of: key) == .removed)

      store.put(key, [1])
      store.put(key, [2])
      #expect(store.removalCause(of: key) == .replaced)

      try Files.write([0], to: store.entryFile(key))
      #expect(store.lookup(key) == nil && other.removalCause(of: key) == .damaged)

      store.put(key, [UInt8](repeating: 1, count: 5000))
      clock.advance(minutes: 60)
      _ = try store.collect(target: 0)
      #expect(store.lookup(key) == nil && store.removalCause(of: key) == .evicted)
      #expect(store.removalCause(of: CacheKey(test: 2)) == nil)
    }
  }

  @Test("is another's affair in another scope")
  func scopes() throws {
    try withTemporaryDirectory { directory in
      let team = try CacheStore(
        directory: directory, scope: Scope(tag: [UInt8](repeating: 1, count: Scope.tagLength)))
      let own = try CacheStore(directory: directory)
      team.put(key, [1])
      #expect(team.remove(key))
      #expect(team.removalCause(of: key) == .removed && own.removalCause(of: key) == nil)
    }
  }

  @Test("is known of the last of many, and never wrong")
  func many() throws {
    try withTemporaryDirectory { directory in
      let log = RemovalLog(path: directory.appending("removals"))
      let layout = StoreLayout(directory: directory)
      for number in 0..<100_000 { log.note(layout.entry(CacheKey(test: number), scope: .private), .evicted) }
      func cause(_ number: Int) -> RemovalCause? {
        log.cause(of: StoreLayout.hash(of: CacheKey(test: number), scope: .private))
      }
      #expect((99_000..<100_000).count { cause($0) == .evicted } > 900)
      #expect((100_000..<200_000).allSatisfy { cause($0) == nil })
    }
  }

  @Test("is not known where the log cannot be kept, and nothing else is wrong there")
  func unusable() throws {
    try withTemporaryDirectory { directory in
      try FileSystem.makeDirectories(directory.appending("v1/removals"))
      let store = try CacheStore(directory: directory)
      store.put(key, [1])
      #expect(store.remove(key) && store.removalCause(of: key) == nil)
    }
  }

  @Test("is noted in the new place when the whole cache has been deleted")
  func reopened() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory.appending("cache"))
      try FileSystem.removeTree(store.layout.root)
      store.put(key, [UInt8](repeating: 1, count: 5000))
      #expect(store.remove(key))
      let other = try CacheStore(directory: directory.appending("cache"))
      #expect(other.removalCause(of: key) == .removed)
    }
  }

  @Test("is noted there also when another process has made a part of it anew")
  func reopenedForBody() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory.appending("cache"))
      try FileSystem.removeTree(store.layout.root)
      try FileSystem.makeDirectories(store.bodyDirectory)
      try Files.write([1, 2, 3], to: store.bodyDirectory.appending("body"))
      let writer = try #require(store.makeWriter(key: key, digest: SHA256Digest(), adopting: "body"))
      while writer.readPiece() {}
      #expect(writer.commit(duration: nil, mode: .replace) == .stored(bytes: 3))
      #expect(store.remove(key))
      let other = try CacheStore(directory: directory.appending("cache"))
      #expect(other.removalCause(of: key) == .removed)
    }
  }
}
