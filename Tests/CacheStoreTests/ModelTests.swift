import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

/// A store beside a dictionary that says what it must answer.
private struct Model {
  let directory: FilePath
  let maxSize: UInt64
  let clock = TestClock()
  var generator: SeededGenerator
  var store: CacheStore
  var expected: [UInt64: [UInt8]] = [:]
  /// Keys that a damage or an eviction may have hit: a miss is right for these, another body is not.
  var uncertain: Set<UInt64> = []
  var log: [String] = []

  init(directory: FilePath, maxSize: UInt64, seed: UInt64) throws {
    self.directory = directory
    self.maxSize = maxSize
    generator = SeededGenerator(seed: seed)
    store = try CacheStore(directory: directory, maxSize: maxSize, now: clock.systemOrLater)
  }

  /// Few keys and few bodies, so that keys meet again and bodies are shared.
  mutating func step() throws {
    let number = UInt64.random(in: 0..<12, using: &generator)
    let key = CacheKey(test: number)
    switch Int.random(in: 0..<100, using: &generator) {
    case ..<35: put(number, key)
    case ..<65: look(number, key)
    case ..<73:
      log.append("remove \(number)")
      let wasThere = store.remove(key)
      if !uncertain.contains(number) { #expect(wasThere == (expected[number] != nil), trace) }
      expected[number] = nil
      uncertain.remove(number)
    case ..<78: try collect(target: nil)
    case ..<80: try collect(target: UInt64.random(in: 0...maxSize, using: &generator))
    case ..<82:
      log.append("clear")
      _ = store.clear()
      expected = [:]
      uncertain = []
    case ..<90: try damage()
    case ..<95:
      log.append("reopen")
      store = try CacheStore(directory: directory, maxSize: maxSize, now: clock.systemOrLater)
    default: clock.advance(minutes: 3)
    }
  }

  private var trace: Comment { Comment(rawValue: log.suffix(12).joined(separator: ", ")) }

  private mutating func put(_ number: UInt64, _ key: CacheKey) {
    let body = SeededEntry(number: UInt64.random(in: 0..<20, using: &generator), version: 0).body
    let mode: EntryWriter.Mode = Bool.random(using: &generator) ? .replace : .keepFirst
    log.append("put \(number) \(body.count) \(mode)")
    switch store.put(key, pieces: generator.pieces(of: body), mode: mode) {
    case .stored(let bytes):
      #expect(bytes == UInt64(body.count))
      if mode == .keepFirst, expected[number] != nil { #expect(uncertain.contains(number), trace) }
      // The blob it shares may be one that was damaged.
      if !damagedBodies.contains(body) { uncertain.remove(number) } else { uncertain.insert(number) }
      expected[number] = body
    case .alreadyThere: #expect(mode == .keepFirst && expected[number] != nil, trace)
    case .mismatch: Issue.record("nothing was announced: \(trace)")
    case .notStored(let reason): Issue.record("\(reason): \(trace)")
    }
  }

  private mutating func look(_ number: UInt64, _ key: CacheKey) {
    log.append("look \(number)")
    let body = store.body(key)
    if let body {
      #expect(body == expected[number], trace)
    } else {
      #expect(expected[number] == nil || uncertain.contains(number), trace)
      expected[number] = nil
      uncertain.remove(number)
    }
  }

  private mutating func collect(target: UInt64?) throws {
    log.append("collect \(target.map(String.init) ?? "")")
    let before = try store.bytesOnDisk
    let collection = try #require(try store.collect(target: target))
    #expect(collection.remainingBytes == (try store.bytesOnDisk), trace)
    #expect(store.summary.bytes == collection.remainingBytes, trace)
    #expect(store.summary.entries == store.entryFiles.count, trace)
    #expect(collection.remainingBytes <= (target ?? (before > maxSize ? maxSize * 9 / 10 : maxSize)), trace)
    if collection.removedFiles > 0 { uncertain.formUnion(expected.keys) }
  }

  private var damagedBodies: Set<[UInt8]> = []

  private mutating func damage() throws {
    let files = store.entryFiles + store.blobFiles
    guard let file = files.randomElement(using: &generator), try Files.size(file) > 1 else { return }
    let damage = Damage.allCases.randomElement(using: &generator)!
    log.append("\(damage) \(file.lastComponent?.string.prefix(6) ?? "")")
    for (number, body) in expected {
      let isHit = file == store.entryFile(CacheKey(test: number)) || file == store.blobFile(of: body)
      if isHit { uncertain.insert(number) }
      if file == store.blobFile(of: body) { damagedBodies.insert(body) }
    }
    if file.starts(with: store.layout.directory(of: .blobs)) { damagedBodies.insert(try Files.read(file)) }
    try damage.apply(to: file, &generator)
  }
}

extension TestClock {
  fileprivate var systemOrLater: @Sendable () -> UInt64 { { self.now } }
}

@Suite("Any sequence of operations")
struct ModelTests {
  @Test("answers as a dictionary would, or with a miss where something was evicted or damaged", arguments: 0..<16)
  func random(seed: UInt64) throws {
    try withTemporaryDirectory { directory in
      var model = try Model(directory: directory, maxSize: 600_000, seed: seed)
      for _ in 0..<120 { try model.step() }
    }
  }
}
