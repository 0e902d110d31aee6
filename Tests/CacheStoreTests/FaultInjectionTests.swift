import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import CacheStore

/// An error that a step of the store is made to fail with.
struct InjectedFailure: Error, CustomStringConvertible {
  let description = "no space left on device"
}

/// Fails one step of the store while it is armed.
private final class Saboteur: Sendable {
  private let target: Mutex<StoreStep?> = Mutex(nil)
  let hits = Atomic<Int>(0)

  func arm(_ step: StoreStep?) { target.withLock { $0 = step } }

  func hook(_ step: StoreStep) throws {
    guard target.withLock({ $0 == step }) else { return }
    hits.add(1, ordering: .relaxed)
    throw InjectedFailure()
  }
}

@Suite("A write that fails at any step")
struct FaultInjectionTests {
  /// In the entry's file; in the buffer but too large for the entry's file; in one piece in a file; in several.
  static let sizes = [0, 100, 4090, 5000, 300_000]
  static let modes: [EntryWriter.Mode] = [.replace, .keepFirst]

  @Test("leaves the store as it was, and the next one works", arguments: StoreStep.allCases, sizes)
  func failure(step: StoreStep, size: Int) throws {
    try withTemporaryDirectory { directory in
      for mode in Self.modes {
        for hadEntry in [false, true] {
          try attempt(in: directory.appending("\(mode)\(hadEntry)"), failing: step, size, mode, hadEntry: hadEntry)
        }
      }
    }
  }

  private func attempt(
    in directory: FilePath, failing step: StoreStep, _ size: Int, _ mode: EntryWriter.Mode, hadEntry: Bool
  ) throws {
    let saboteur = Saboteur()
    let store = try CacheStore(directory: directory, step: saboteur.hook)
    var generator = SeededGenerator(seed: UInt64(size))
    let key = CacheKey(test: 1)
    let old = generator.bytes(2000)
    let new = generator.bytes(size)
    if hadEntry { store.put(key, old) }
    saboteur.arm(step)
    let outcome = store.put(key, pieces: generator.pieces(of: new), mode: mode)
    saboteur.arm(nil)
    let wasHit = saboteur.hits.load(ordering: .relaxed) > 0
    if wasHit {
      #expect(outcome == .notStored(reason: "no space left on device"))
    } else if hadEntry, mode == .keepFirst {
      #expect(outcome == .alreadyThere)
    } else {
      #expect(outcome == .stored(bytes: UInt64(size)))
    }
    let visible = store.body(key)
    #expect(visible == nil || visible == new || (hadEntry && visible == old))
    // Only a write that had got as far as removing the old entry may have lost it.
    if wasHit, hadEntry, step != .count { #expect(visible == old) }
    #expect(store.temporaryFiles.isEmpty, "a failed write removes what it wrote")
    try store.expectSound()
    #expect(store.put(key, new) == .stored(bytes: UInt64(size)))
    #expect(store.body(key) == new)
    try store.expectSound()
  }

  @Test("every step is reached by some write")
  func coverage() throws {
    try withTemporaryDirectory { directory in
      let seen = Mutex<Set<StoreStep>>([])
      let store = try CacheStore(directory: directory, step: { step in _ = seen.withLock { $0.insert(step) } })
      for _ in 0..<2 { store.put(CacheKey(test: 1), [UInt8](repeating: 1, count: 300_000)) }
      #expect(seen.withLock { $0 } == Set(StoreStep.allCases))
    }
  }

  @Test("a writer that is dropped before its commit leaves nothing", arguments: sizes)
  func dropped(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      do {
        let writer = store.makeWriter(key: CacheKey(test: 1), digest: SHA256Digest())
        [UInt8](repeating: 1, count: size).withUnsafeBytes { writer.write($0) }
      }
      #expect(store.lookup(CacheKey(test: 1)) == nil)
      #expect(Files.all(below: directory).map(\.lastComponent?.string) == ["removals", "usage"])
    }
  }

  @Test("a body larger than the whole cache is refused, and what came of it is not kept on disk")
  func tooLarge() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 100_000)
      let writer = store.makeWriter(key: CacheKey(test: 1), digest: SHA256Digest())
      let piece = [UInt8](repeating: 1, count: 60_000)
      piece.withUnsafeBytes { writer.write($0) }
      #expect(store.temporaryFiles.count == 1)
      piece.withUnsafeBytes { writer.write($0) }
      #expect(store.temporaryFiles.isEmpty)
      #expect(writer.commit(duration: nil, mode: .replace) == .notStored(reason: "larger than the whole cache"))
      #expect(store.put(CacheKey(test: 2), [UInt8](repeating: 1, count: 100_000)) == .stored(bytes: 100_000))
    }
  }
}
