import SystemPackage
import TestSupport
import Testing

@testable import CacheStore

@Suite("Several processes on one store", .timeLimit(.minutes(5)))
struct ConcurrentProcessesTests {
  @Test("never show each other a wrong body while they store, read, collect, verify and clear", arguments: 0..<2)
  func mixed(seed: UInt64) throws {
    try withTemporaryDirectory { directory in
      let cache = directory.appending("cache")
      let children = try (0..<4).map { index in
        try ChildProcess(
          product: "store-writer", arguments: ["mix", cache.string, "\(seed * 100 + UInt64(index))", "150"],
          outputFile: directory.appending("\(index)"))
      }
      for child in children {
        #expect(child.wait() == .exited(0))
        #expect(child.outputLines == [])
      }
      let store = try CacheStore(directory: cache, maxSize: 2_000_000)
      try store.expectSound()
      #expect(store.summary.damaged == 0, "sound entries were taken for damaged ones")
    }
  }

  @Test("several threads on one store object see whole bodies only")
  func threads() async throws {
    try await withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 2_000_000)
      await withTaskGroup(of: Void.self) { group in
        for seed in 0..<4 { group.addTask { Self.use(store, seed: UInt64(seed)) } }
      }
      try store.expectSound()
      #expect(store.summary.damaged == 0)
    }
  }

  private static func use(_ store: CacheStore, seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<150 {
      let number = UInt64.random(in: 0..<16, using: &generator)
      let entry = SeededEntry(number: number, version: .random(in: 0..<3, using: &generator))
      if Bool.random(using: &generator) {
        store.put(entry.key, entry.body)
      } else if let body = store.body(entry.key) {
        #expect(SeededEntry.version(of: number, body: body) != nil)
      }
    }
  }
}
