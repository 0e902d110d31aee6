import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

/// What disks, power cuts and people do to files.
enum Damage: String, CaseIterable, Sendable {
  case emptied, shortened, extended, bitFlipped, zeroed

  func apply(to file: FilePath, _ generator: inout SeededGenerator) throws {
    var bytes = try Files.read(file)
    switch self {
    case .emptied: bytes = []
    case .shortened: bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator))
    case .extended: bytes += generator.bytes(Int.random(in: 1...5000, using: &generator))
    case .bitFlipped:
      bytes[Int.random(in: bytes.indices, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case .zeroed: bytes = [UInt8](repeating: 0, count: bytes.count)
    }
    try Files.write(bytes, to: file)
  }
}

@Suite("Damaged files")
struct DamageTests {
  /// Bodies in the entry's file, of which one fills its block; bodies in blobs.
  static let sizes = [0, 1, 1000, RoundTripTests.inlineLimit, 5000, 100_000]

  @Test("a damaged entry file is a miss, is removed and counted", arguments: Damage.allCases, sizes)
  func entryFile(damage: Damage, size: Int) throws {
    try damaged(damage, size: size) { store, body in store.entryFile(CacheKey(test: 1)) }
  }

  @Test("a damaged blob is a miss or found when it is read, is removed and counted", arguments: Damage.allCases)
  func blob(damage: Damage) throws {
    for size in [5000, 100_000] { try damaged(damage, size: size) { $0.blobFile(of: $1) } }
  }

  @Test("storing equal bytes again mends a damaged blob", arguments: Damage.allCases)
  func mending(damage: Damage) throws {
    try withTemporaryDirectory { directory in
      var generator = SeededGenerator(seed: 5)
      let store = try CacheStore(directory: directory)
      let body = generator.bytes(100_000)
      store.put(CacheKey(test: 1), body)
      try damage.apply(to: store.blobFile(of: body), &generator)
      #expect(store.put(CacheKey(test: 2), body) == .stored(bytes: 100_000))
      #expect(store.body(CacheKey(test: 2)) == body)
      #expect(store.body(CacheKey(test: 1)) == body)
      #expect(store.summary.damaged == 1)
    }
  }

  private func damaged(_ damage: Damage, size: Int, file: (CacheStore, [UInt8]) -> FilePath) throws {
    try withTemporaryDirectory { directory in
      var generator = SeededGenerator(seed: UInt64(size))
      let store = try CacheStore(directory: directory)
      let key = CacheKey(test: 1)
      for round in 1...6 {
        let body = generator.bytes(size)
        #expect(store.put(key, body) == .stored(bytes: UInt64(size)))
        let file = file(store, body)
        try damage.apply(to: file, &generator)
        #expect(store.body(key) == nil, "round \(round)")
        #expect(!FileSystem.exists(file))
        #expect(store.lookup(key) == nil)
        #expect(store.summary.damaged == round)
        #expect(store.put(key, body, mode: .keepFirst) == .stored(bytes: UInt64(size)))
        #expect(store.body(key) == body)
      }
      try store.expectSound()
    }
  }

  @Test(
    "a blob that was cut short is written anew by the next put of the same bytes", arguments: [0, 1, 99_999, 100_001])
  func putOverShortBlob(length: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 6, count: 100_000)
      store.put(CacheKey(test: 1), body)
      try Files.write([UInt8](repeating: 6, count: length), to: store.blobFile(of: body))
      #expect(store.put(CacheKey(test: 2), body) == .stored(bytes: 100_000))
      #expect(store.body(CacheKey(test: 2)) == body)
      #expect(store.body(CacheKey(test: 1)) == body)
      #expect(store.summary.damaged == 1)
      try store.expectSound()
    }
  }

  @Test("an entry whose blob is gone is a miss, and no damage")
  func blobGone() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 6, count: 100_000)
      store.put(CacheKey(test: 1), body)
      try FileSystem.remove(store.blobFile(of: body))
      #expect(store.lookup(CacheKey(test: 1)) == nil)
      #expect(store.entryFiles.isEmpty)
      #expect(store.summary.damaged == 0)
    }
  }

  @Test("an entry file that was put in another's place is a miss")
  func swappedFiles() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      store.put(CacheKey(test: 1), [1])
      store.put(CacheKey(test: 2), [2])
      try FileSystem.rename(store.entryFile(CacheKey(test: 1)), to: store.entryFile(CacheKey(test: 2)))
      #expect(store.lookup(CacheKey(test: 2)) == nil)
      #expect(store.put(CacheKey(test: 2), [2]) == .stored(bytes: 1))
      #expect(store.body(CacheKey(test: 2)) == [2])
    }
  }

  @Test("verifying finds and removes what is damaged, and only that", arguments: Damage.allCases)
  func verify(damage: Damage) throws {
    try withTemporaryDirectory { directory in
      var generator = SeededGenerator(seed: 3)
      let store = try CacheStore(directory: directory)
      let bodies = (0..<12).map { generator.bytes($0 % 2 == 0 ? 500 : 50_000) }
      for (number, body) in bodies.enumerated() { store.put(CacheKey(test: number), body) }
      try damage.apply(to: store.entryFile(CacheKey(test: 0)), &generator)
      try damage.apply(to: store.entryFile(CacheKey(test: 1)), &generator)
      try damage.apply(to: store.blobFile(of: bodies[3]), &generator)
      try FileSystem.remove(store.blobFile(of: bodies[5]))
      #expect(store.verify() == .init(soundEntries: 8, damagedEntries: 3, entriesWithoutBlob: 1))
      #expect(store.verify() == .init(soundEntries: 8, damagedEntries: 0, entriesWithoutBlob: 0))
      #expect(store.summary.damaged == 3)
      for number in [2, 4, 6, 7, 8, 9, 10, 11] { #expect(store.body(CacheKey(test: number)) == bodies[number]) }
      for number in [0, 1, 3, 5] { #expect(store.lookup(CacheKey(test: number)) == nil) }
    }
  }
}
