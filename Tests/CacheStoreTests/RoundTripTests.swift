import SystemPackage
import TestSupport
import Testing

@testable import CacheStore

@Suite("Storing and looking up")
struct RoundTripTests {
  /// The largest body that goes into the file of an entry with an 8-byte key of the namespace `test` and no origin.
  static let inlineLimit = 4096 - (12 + 32 + 8 + 16 + 8 + 4 + 16 + 1 + 1 + 4 + 1 + 8 + 1)

  static let sizes =
    [0, 1, 2, 100, 4095, 4096, 4097, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 1_048_576, 1_048_577]
    + [inlineLimit - 1, inlineLimit, inlineLimit + 1]

  @Test("a key that was never stored is a miss")
  func neverStored() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      #expect(store.lookup(CacheKey(test: 1)) == nil)
      #expect(store.summary.entries == 0)
    }
  }

  @Test("a key that stands for its own content takes no other", arguments: [0, 5, 100_000])
  func contentAddressed(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 1, count: size)
      let digest = SHA256Digest.digest(of: body)
      let key = try #require(CacheKey(namespace: "bazel-cas", bytes: digest.bytes))
      #expect(key.contentDigest == digest && key.admits(digest))
      let wrong = body + [2]
      #expect(store.put(key, wrong) == .mismatch)
      wrong.withUnsafeBytes {
        store.keep($0, under: key, digest: SHA256Digest.digest(of: wrong), duration: nil, origin: "elsewhere")
      }
      #expect(store.lookup(key) == nil)
      #expect(store.put(key, body) == .stored(bytes: UInt64(size)))
      #expect(store.body(key) == body)
      // One that could be the key of nothing.
      let short = try #require(CacheKey(namespace: "bazel-cas", bytes: digest.bytes.dropLast()))
      #expect(short.contentDigest == nil && store.put(short, body) == .mismatch)
      #expect(CacheKey(test: 1).contentDigest == nil && CacheKey(test: 1).admits(digest))
    }
  }

  @Test("a key is said to be there without being looked up, also one that a lookup would take into the scope")
  func seemsToHold() throws {
    try withTemporaryDirectory { directory in
      let (own, team) = (
        try CacheStore(directory: directory),
        try CacheStore(directory: directory, scope: Scope(tag: [UInt8](repeating: 7, count: 16)))
      )
      own.put(CacheKey(test: 1), [1])
      team.put(CacheKey(test: 2), [2])
      #expect(own.seemsToHold(CacheKey(test: 1)) && team.seemsToHold(CacheKey(test: 1)))
      #expect(!own.seemsToHold(CacheKey(test: 2)) && team.seemsToHold(CacheKey(test: 2)))
      #expect(!team.seemsToHold(CacheKey(test: 3)))
    }
  }

  @Test("a body comes back as it was given, whatever its size and the pieces it came in", arguments: sizes)
  func roundTrip(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      var generator = SeededGenerator(seed: UInt64(size))
      for number in 0..<8 {
        let body = generator.bytes(size)
        let outcome = store.put(CacheKey(test: number), pieces: generator.pieces(of: body))
        #expect(outcome == .stored(bytes: UInt64(size)))
        let entry = try #require(store.lookup(CacheKey(test: number)))
        #expect(entry.size == UInt64(size))
        #expect(entry.body == body)
        #expect(entry.record.digest == SHA256Digest.digest(of: body))
      }
      #expect(store.temporaryFiles.isEmpty)
      #expect(store.summary.entries == 8)
      #expect(store.summary.bytes == (try store.bytesOnDisk))
    }
  }

  @Test("a body that fits behind its record in one block has no file of its own")
  func oneBlock() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      var generator = SeededGenerator(seed: 1)
      store.put(CacheKey(test: 1), generator.bytes(Self.inlineLimit))
      #expect(try Files.size(store.entryFile(CacheKey(test: 1))) == 4096)
      #expect(store.blobFiles.isEmpty)
      store.put(CacheKey(test: 2), generator.bytes(Self.inlineLimit + 1))
      #expect(store.blobFiles.count == 1)
    }
  }

  @Test("the longest key and namespace are told apart from their neighbours", arguments: [1, 5000])
  func longestKey(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let namespace = String(repeating: "n", count: 32)
      var bytes = [UInt8](repeating: 0xff, count: 128)
      let key = try #require(CacheKey(namespace: namespace, bytes: bytes))
      bytes[127] = 0xfe
      let neighbour = try #require(CacheKey(namespace: namespace, bytes: bytes))
      let body = [UInt8](repeating: 7, count: size)
      store.put(key, body)
      #expect(store.body(key) == body)
      #expect(store.lookup(neighbour) == nil)
      #expect(store.lookup(key)?.record.key == key)
    }
  }

  @Test("the same bytes under another namespace are another key")
  func namespaces() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      // Without a length between them, "ab" + "c" and "a" + "bc" would be the same.
      let first = try #require(CacheKey(namespace: "ab", bytes: Array("c".utf8)))
      let second = try #require(CacheKey(namespace: "a", bytes: Array("bc".utf8)))
      store.put(first, [1])
      #expect(store.lookup(second) == nil)
      store.put(second, [2])
      #expect(store.body(first) == [1])
    }
  }

  @Test("an entry is found by another process's store, and by the same one opened again")
  func reopened() throws {
    try withTemporaryDirectory { directory in
      let body = [UInt8](repeating: 3, count: 10_000)
      try CacheStore(directory: directory).put(CacheKey(test: 1), body)
      let store = try CacheStore(directory: directory)
      #expect(store.body(CacheKey(test: 1)) == body)
      #expect(store.summary.entries == 1)
    }
  }

  @Test("duration, origin and the time of making survive", arguments: [10, 10_000])
  func fields(size: Int) throws {
    try withTemporaryDirectory { directory in
      let clock = TestClock()
      let store = try CacheStore(directory: directory, now: { clock.now })
      let body = [UInt8](repeating: 1, count: size)
      store.put(CacheKey(test: 1), body, duration: 4711, origin: "peer:büro")
      let record = try #require(store.lookup(CacheKey(test: 1))?.record)
      #expect(record.duration == 4711)
      #expect(record.origin == "peer:büro")
      #expect(record.created == clock.now)
      store.put(CacheKey(test: 2), body, duration: nil)
      #expect(store.lookup(CacheKey(test: 2))?.record.duration == nil)
      store.put(CacheKey(test: 3), body, duration: 0)
      #expect(store.lookup(CacheKey(test: 3))?.record.duration == 0)
    }
  }

  @Test("an origin of any length and script is cut to what a record holds", arguments: ["x", "ü", "漢", "👩‍👩‍👧‍👦"])
  func longOrigin(character: String) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let origin = String(repeating: character, count: 300)
      store.put(CacheKey(test: 1), [1, 2, 3], origin: origin)
      let stored = try #require(store.lookup(CacheKey(test: 1))?.record.origin)
      #expect(stored.utf8.count <= 255)
      #expect(stored.utf8.count > 255 - 4)
      #expect(origin.utf8.starts(with: stored.utf8), "cut within a character")
      #expect(store.body(CacheKey(test: 1)) == [1, 2, 3])
    }
  }
}
