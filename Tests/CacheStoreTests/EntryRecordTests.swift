import TestSupport
import Testing

@testable import CacheStore

@Suite("The record of an entry")
struct EntryRecordTests {
  private func record(body: [UInt8]?, size: UInt64 = 7) -> EntryRecord {
    EntryRecord(
      key: CacheKey(namespace: "go", bytes: [0, 255, 10])!, scope: Scope(tag: Array(1...16)),
      digest: SHA256Digest.digest(of: [1]), size: body.map { UInt64($0.count) } ?? size,
      checksum: Checksum(low: .max, high: 0), created: 1_700_000_000_000, duration: 5, origin: "ö", inlineBody: body)
  }

  private func decode(_ bytes: [UInt8]) -> EntryRecord? {
    bytes.withUnsafeBytes { EntryRecord(file: $0) }
  }

  @Test("comes back from its bytes", arguments: [nil, [], [0], [UInt8](repeating: 9, count: 3000)] as [[UInt8]?])
  func roundTrip(body: [UInt8]?) {
    let record = record(body: body)
    #expect(decode(record.encoded) == record)
    #expect(record.encoded.count == record.headSize + (body?.count ?? 0))
  }

  @Test("does not come back when any single bit was changed")
  func bitFlips() {
    let bytes = record(body: [1, 2, 3]).encoded
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << bit
        #expect(decode(damaged) == nil)
      }
    }
  }

  @Test("does not come back when its end is missing, or something follows")
  func lengths() {
    let bytes = record(body: [1, 2, 3]).encoded
    for count in 0..<bytes.count { #expect(decode(Array(bytes[..<count])) == nil) }
    #expect(decode(bytes + [0]) == nil)
  }

  @Test("is never made of random bytes, not even behind the right magic number", arguments: 0..<50)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let bytes = generator.bytes(Int.random(in: 0...600, using: &generator))
      #expect(decode(bytes) == nil)
      #expect(decode(Array("FBE1".utf8) + bytes) == nil)
    }
  }
}

@Suite("Keys")
struct CacheKeyTests {
  @Test("hold 1 to 128 bytes", arguments: [(0, false), (1, true), (128, true), (129, false)])
  func length(count: Int, isValid: Bool) {
    #expect((CacheKey(namespace: "n", bytes: [UInt8](repeating: 0, count: count)) != nil) == isValid)
  }

  @Test(
    "have a namespace of 1 to 32 lower-case letters, digits and dashes",
    arguments: [
      ("ccache", true), ("swift-cas", true), ("a1", true), (String(repeating: "x", count: 32), true), ("", false),
      (String(repeating: "x", count: 33), false), ("Go", false), ("a/b", false), ("..", false), ("a b", false),
      ("ä", false), ("a\0", false), ("a_b", false),
    ])
  func namespace(text: String, isValid: Bool) {
    #expect((CacheKey(namespace: text, bytes: [1]) != nil) == isValid)
  }

  @Test("are shown as namespace and hexadecimal bytes")
  func description() {
    #expect(CacheKey(namespace: "go", bytes: [0, 171, 255])?.description == "go/00abff")
  }
}
