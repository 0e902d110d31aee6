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

  private static let team = Scope(tag: [UInt8](repeating: 9, count: 16))

  @Test("entries of two scopes never meet under the same key")
  func scopes() throws {
    try withTemporaryDirectory { directory in
      let own = try CacheStore(directory: directory)
      let team = try CacheStore(directory: directory, scope: Self.team)
      let other = try CacheStore(directory: directory, scope: Scope(tag: [UInt8](repeating: 8, count: 16)))
      let key = CacheKey(test: 1)
      team.put(key, [2])
      #expect(own.lookup(key) == nil)
      #expect(other.lookup(key) == nil)
      own.put(key, [1])
      #expect(own.body(key) == [1])
      #expect(team.body(key) == [2])
    }
  }

  @Test("a team's build adopts what the user made before, and nobody adopts a team's", arguments: [100, 100_000])
  func adoption(size: Int) throws {
    try withTemporaryDirectory { directory in
      let own = try CacheStore(directory: directory)
      let team = try CacheStore(directory: directory, scope: Self.team)
      let body = [UInt8](repeating: 3, count: size)
      own.put(CacheKey(test: 1), body)
      #expect(team.fingerprints.isEmpty)
      #expect(team.body(CacheKey(test: 1)) == body)
      #expect(team.fingerprints == [team.fingerprint(of: CacheKey(test: 1))])
      #expect(own.remove(CacheKey(test: 1)))
      #expect(team.body(CacheKey(test: 1)) == body, "it is the team's own now")
      team.put(CacheKey(test: 2), body)
      #expect(own.lookup(CacheKey(test: 2)) == nil)
      try team.expectSound()
    }
  }

  @Test("what came from elsewhere is not adopted")
  func foreign() throws {
    try withTemporaryDirectory { directory in
      let own = try CacheStore(directory: directory)
      let team = try CacheStore(directory: directory, scope: Self.team)
      own.put(CacheKey(test: 1), [1], origin: "http://store.example")
      #expect(own.body(CacheKey(test: 1)) == [1])
      #expect(team.lookup(CacheKey(test: 1)) == nil)
      own.put(CacheKey(test: 1), [2])
      #expect(team.body(CacheKey(test: 1)) == [2])
    }
  }

  @Test("nothing is adopted for a question from outside")
  func withoutAdoption() throws {
    try withTemporaryDirectory { directory in
      let own = try CacheStore(directory: directory)
      let team = try CacheStore(directory: directory, scope: Self.team)
      own.put(CacheKey(test: 1), [1])
      team.put(CacheKey(test: 2), [2])
      #expect(team.lookupShared(CacheKey(test: 1)) == nil)
      #expect(team.fingerprints == [team.fingerprint(of: CacheKey(test: 2))])
      #expect(team.lookupShared(CacheKey(test: 2))?.body == [2])
    }
  }

  @Test("what a team's build removes is not adopted again")
  func removeAdopted() throws {
    try withTemporaryDirectory { directory in
      let own = try CacheStore(directory: directory)
      let team = try CacheStore(directory: directory, scope: Self.team)
      own.put(CacheKey(test: 1), [1])
      #expect(team.body(CacheKey(test: 1)) == [1])
      #expect(team.remove(CacheKey(test: 1)))
      #expect(team.lookup(CacheKey(test: 1)) == nil)
    }
  }

  @Test("fingerprints are those of one scope, and the same in every store of the team")
  func fingerprints() throws {
    try withTemporaryDirectory { directory in
      let first = try CacheStore(directory: directory.appending("a"), scope: Self.team)
      let second = try CacheStore(directory: directory.appending("b"), scope: Self.team)
      let outsider = try CacheStore(directory: directory.appending("a"))
      for number in 0..<300 { first.put(CacheKey(test: number), [1]) }
      outsider.put(CacheKey(test: 1000), [1])
      let expected = Set((0..<300).map { second.fingerprint(of: CacheKey(test: $0)) })
      #expect(first.fingerprints == expected)
      #expect(expected.count == 300)
      #expect(outsider.fingerprint(of: CacheKey(test: 1)) != first.fingerprint(of: CacheKey(test: 1)))
    }
  }

  @Test("a body that is not the announced one is not stored")
  func expectedDigest() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let announced = store.put(CacheKey(test: 1), [1, 2, 3])
      #expect(announced == .stored(bytes: 3))
      let digest = try #require(store.lookup(CacheKey(test: 1))?.record.digest)
      for (number, body) in [[UInt8(1), 2, 3], [1, 2, 4], [1, 2]].enumerated() {
        let key = CacheKey(test: 10 + number)
        let writer = store.makeWriter(key: key, digest: SHA256Digest())
        body.withUnsafeBytes { writer.write($0) }
        let outcome = writer.commit(duration: nil, expecting: digest, mode: .keepFirst)
        #expect((outcome == .stored(bytes: 3)) == (number == 0))
        #expect((store.lookup(key) == nil) == (number != 0))
      }
      try store.expectSound()
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

  @Test("what compilers keep beside the store is none of its business")
  func compilersAreLeftAlone() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 1 << 20)
      let file = directory.appending("compilers/0123456789abcdef/objects/ab/file")
      try Files.write([UInt8](repeating: 1, count: 4 << 20), to: file)
      store.put(CacheKey(test: 1), [1, 2, 3])
      let collection = try #require(try store.collect(target: 0))
      #expect(collection.removedFiles == 1)
      _ = store.clear()
      #expect(FileSystem.exists(file))
    }
  }
}
