import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import CacheStore

@Suite("Writers that are killed", .timeLimit(.minutes(5)))
struct KilledWriterTests {
  private static let entriesPerWriter: UInt64 = 12

  @Test("what a killed writer had acknowledged is there and right, and it leaves no rubbish", arguments: 0..<3)
  func killed(seed: UInt64) throws {
    try withTemporaryDirectory { directory in
      var generator = SeededGenerator(seed: seed)
      let cache = directory.appending("cache")
      var writers: [(child: ChildProcess, last: Int)] = []
      var next: UInt64 = 0
      for round in 0..<3 {
        writers += try (0..<4).map { index in
          let last = Int.random(in: 1...70, using: &generator)
          defer { next += Self.entriesPerWriter }
          return (
            try ChildProcess(
              product: "store-writer",
              arguments: ["write", cache.string, "\(next)", "\(Self.entriesPerWriter)", "\(last)"],
              outputFile: directory.appending("\(round).\(index)")), last
          )
        }
        for writer in writers.suffix(4) { #expect(writer.child.wait() == .killed(signal: SIGKILL)) }
      }
      let store = try CacheStore(directory: cache, maxSize: 1 << 40)
      let acknowledged = writers.flatMap(\.child.outputLines)
      #expect(acknowledged.count > 20, "the writers were killed too early for this test to say much")
      for line in acknowledged { expectPresent(line, in: store) }
      for number in 0..<next { expectRightOrAbsent(number, in: store) }
      try store.expectSound()
      // The numbers the killed ones did not get to.
      let child = try ChildProcess(
        product: "store-writer", arguments: ["write", cache.string, "0", "\(next)", "0"],
        outputFile: directory.appending("last"))
      #expect(child.wait() == .exited(0))
      for number in 0..<next { #expect(store.lookup(CacheKey(test: number)) != nil) }
      try store.expectSound()
    }
  }

  private func expectPresent(_ line: String, in store: CacheStore) {
    let numbers = line.split(separator: " ").compactMap { UInt64($0) }
    guard numbers.count == 2 else {
      Issue.record("the writer printed '\(line)'")
      return
    }
    let entry = SeededEntry(number: numbers[0], version: numbers[1])
    #expect(store.body(entry.key) == entry.body, "the acknowledged entry \(line)")
  }

  private func expectRightOrAbsent(_ number: UInt64, in store: CacheStore) {
    guard let entry = store.lookup(CacheKey(test: number)) else { return }
    let body = entry.body
    #expect(body != nil, "entry \(number) is visible and damaged")
    #expect(body.flatMap { SeededEntry.version(of: number, body: $0) } != nil, "entry \(number) is another's")
  }
}
