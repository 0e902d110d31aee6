import CacheStore
import Testing

@testable import Upstreams

/// What an object in a store looks like, and which objects are taken.
struct EnvelopeTests {
  private static let key = CacheKey(namespace: "ccache", bytes: Array(1...20))!
  private static let sealingKey = [UInt8](repeating: 7, count: 32)

  private func head(sealingKey: [UInt8]? = Self.sealingKey, duration: UInt32? = 1234) throws -> [UInt8] {
    let envelope = Envelope(
      key: Self.key, digest: Digest(bytes: Array(repeating: 9, count: 32)), size: 5_000_000_000, duration: duration)
    return try #require(envelope.head(sealingKey: sealingKey))
  }

  private func flaw(_ head: [UInt8], of key: CacheKey = Self.key, sealingKey: [UInt8]? = Self.sealingKey)
    -> Envelope.Flaw?
  {
    do {
      _ = try Envelope(head: head, of: key, sealingKey: sealingKey)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [nil, Self.sealingKey], [nil, 0, 1234, UInt32.max - 1])
  func `what is written is read`(sealingKey: [UInt8]?, duration: UInt32?) throws {
    let read = try Envelope(
      head: head(sealingKey: sealingKey, duration: duration), of: Self.key, sealingKey: sealingKey)
    #expect(read.key == Self.key)
    #expect(read.digest.bytes == Array(repeating: 9, count: 32))
    #expect(read.size == 5_000_000_000)
    #expect(read.duration == duration)
  }

  @Test func `any changed byte is noticed where there is a secret`() throws {
    let sound = try head()
    for index in sound.indices {
      for bit in [1, 128] as [UInt8] {
        var changed = sound
        changed[index] ^= bit
        #expect(flaw(changed) != nil, "byte \(index)")
      }
    }
  }

  @Test func `a head that ends early or goes on is none`() throws {
    let sound = try head(sealingKey: nil)
    for count in 0..<sound.count { #expect(flaw(Array(sound.prefix(count)), sealingKey: nil) != nil) }
    #expect(flaw(sound + [0], sealingKey: nil) == .foreign)
  }

  @Test func `lengths within a head cannot lead beyond it`() throws {
    var head = try head(sealingKey: nil)
    let namespace = Envelope.prefixLength + 32 + 8 + 4
    for length in [0, 5, 7, 27, 28, 200, 255] as [UInt8] {
      head[namespace] = length
      #expect(flaw(head, sealingKey: nil) != nil)
    }
  }

  @Test func `an unsealed object is taken only where there is no secret`() throws {
    let unsealed = try head(sealingKey: nil)
    #expect(flaw(unsealed, sealingKey: nil) == nil)
    #expect(flaw(unsealed) == .unsealed)
  }

  @Test func `another team's seal is wrong`() throws {
    #expect(flaw(try head(sealingKey: Array(repeating: 8, count: 32))) == .wrongSeal)
  }

  @Test func `an entry under another's name is not taken`() throws {
    let bytes = CacheKey(namespace: "ccache", bytes: Array(2...21))!
    let namespace = CacheKey(namespace: "ccachf", bytes: Array(1...20))!
    #expect(flaw(try head(), of: bytes) == .otherEntry)
    #expect(flaw(try head(), of: namespace) == .otherEntry)
  }

  @Test func `the longest key has room`() throws {
    let key = CacheKey(namespace: String(repeating: "n", count: 32), bytes: Array(repeating: 1, count: 128))!
    let envelope = Envelope(key: key, digest: Digest(bytes: Array(repeating: 9, count: 32)), size: 0, duration: nil)
    let head = try #require(envelope.head(sealingKey: Self.sealingKey))
    #expect(head.count == Envelope.longestHead)
    #expect(flaw(head, of: key) == nil)
  }

  @Test(arguments: ["<html>", "", "FBS", "FBE1xxxxxxxxx", "FBS1\u{0}\u{0}\u{0}"])
  func `what does not begin as an object is foreign`(text: String) {
    #expect(throws: Envelope.Flaw.foreign) { try Envelope.length(prefix: Array(text.utf8)) }
  }
}
