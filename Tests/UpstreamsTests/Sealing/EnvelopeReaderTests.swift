import CacheStore
import NIOCore
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// How an object is taken in as it arrives.
struct EnvelopeReaderTests {
  private static let key = CacheKey(test: 1)
  private static let sealingKey = [UInt8](repeating: 7, count: 32)
  private static let bodyLimit = 1000

  private struct Result {
    var flaw: Envelope.Flaw?
    var body: ByteBuffer?
    var isTaken = false
    /// What the store has afterwards.
    var stored: [UInt8]?
    var duration: UInt32?
  }

  /// Has a store take an object in pieces.
  private func take(
    _ pieces: [ArraySlice<UInt8>], sealingKey: [UInt8]? = Self.sealingKey, key: CacheKey = Self.key
  ) throws -> Result {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 100_000_000)
      let reader = EnvelopeReader(key: key, sealingKey: sealingKey, store: store, bodyLimit: Self.bodyLimit)
      var result = Result()
      do {
        for piece in pieces { try Array(piece).withUnsafeBytes { bytes throws in try reader.take(bytes) } }
        let entry = try reader.finish(origin: "somewhere")
        result.isTaken = entry != nil
        result.body = entry?.body
        result.duration = entry?.envelope.duration
      } catch {
        result.flaw = error as? Envelope.Flaw
      }
      result.stored = store.body(key)
      return result
    }
  }

  private func object(_ body: [UInt8], of announced: [UInt8]? = nil, key: CacheKey = Self.key) throws -> [UInt8] {
    try FakeObject(key: key, body: announced ?? body, duration: 77).head(sealingKey: Self.sealingKey) + body
  }

  @Test(arguments: [10, 5000])
  func `a key that stands for its own content takes no other`(size: Int) throws {
    let body = [UInt8](repeating: 1, count: size)
    let key = try #require(CacheKey(namespace: "bazel-cas", bytes: SHA256Digest.digest(of: body).bytes))
    let right = try take([object(body, key: key)[...]], key: key)
    #expect(right.flaw == nil && right.isTaken)
    let wrong = try take([object(body + [2], key: key)[...]], key: key)
    #expect(wrong.flaw == .wrongBody && wrong.stored == nil)
  }

  @Test(arguments: [0, 1, 999, 1000, 1001, 5000, 300_000])
  func `it may come in pieces of any size`(size: Int) throws {
    var generator = SeededGenerator(seed: UInt64(size))
    let body = generator.bytes(size)
    let object = try object(body)
    for longest in [1, 7, 100, 100_000, 1_000_000] where object.count / longest < 20_000 {
      let pieces = stride(from: 0, to: object.count, by: longest).map { object[$0..<min($0 + longest, object.count)] }
      let result = try take(pieces)
      #expect(result.flaw == nil && result.isTaken && result.duration == 77)
      // A small body is for the caller to store: the tool gets it first.
      #expect(result.body == (size <= Self.bodyLimit ? ByteBuffer(bytes: body) : nil))
      #expect(result.stored == (size <= Self.bodyLimit ? nil : body))
    }
  }

  @Test(arguments: [0, 500, 5000]) func `one that ends early is not stored`(size: Int) throws {
    let object = try object(SeededEntry(number: 1, version: 1).body.prefixed(size))
    for count in [0, 3, Envelope.prefixLength, 40, object.count - 1] where count < object.count {
      let result = try take([object.prefix(count)])
      #expect(result.flaw != nil && result.stored == nil && !result.isTaken, "\(count) bytes")
    }
  }

  @Test(arguments: [0, 500, 5000]) func `one that goes on is not stored`(size: Int) throws {
    let object = try object([UInt8](repeating: 3, count: size))
    for pieces in [[(object + [0])[...]], [object[...], [0]]] {
      let result = try take(pieces)
      #expect(result.flaw == .wrongBody && result.stored == nil)
    }
  }

  @Test(arguments: [1, 500, 5000]) func `one with another body is not stored`(size: Int) throws {
    let body = [UInt8](repeating: 3, count: size)
    let result = try take([try object(body, of: [UInt8](repeating: 4, count: size))[...]])
    #expect(result.flaw == .wrongBody && result.stored == nil)
  }

  @Test func `another entry's is not stored`() throws {
    let result = try take([try object(Array(repeating: 1, count: 5000), key: CacheKey(test: 2))[...]])
    #expect(result.flaw == .otherEntry && result.stored == nil)
  }

  @Test func `a page of a web site is foreign, however it is cut`() throws {
    let page = Array("<!DOCTYPE html><html><body>Please log in</body></html>".utf8)
    #expect(try take([page[...]]).flaw == .foreign)
    #expect(try take(page.indices.map { page[$0...$0] }).flaw == .foreign)
  }

  @Test func `a length beyond all bounds takes no room`() throws {
    let digest = SHA256Digest.digest(of: [])
    let envelope = Envelope(key: Self.key, digest: digest, size: .max, duration: nil)
    let head = try #require(envelope.head(sealingKey: Self.sealingKey))
    let result = try take([head[...], [1, 2, 3]])
    #expect(result.flaw == .wrongBody && result.stored == nil)
  }
}

extension [UInt8] {
  /// The first `count`, with zeros behind them where there are fewer.
  fileprivate func prefixed(_ count: Int) -> [UInt8] {
    prefix(count) + [UInt8](repeating: 0, count: Swift.max(0, count - self.count))
  }
}
