import CSHA256
import CacheStore
import SystemSupport
import TestSupport
import Testing

/// Serialized: which way is taken holds for the process.
@Suite("SHA-256", .serialized)
struct SHA256Tests {
  private static func digest(_ bytes: [UInt8], inPiecesOf size: Int = .max, plainly isPlain: Bool) -> String {
    sha256_use_plain(isPlain)
    defer { sha256_use_plain(false) }
    var hash = sha256()
    sha256_begin(&hash)
    for start in stride(from: 0, to: bytes.count, by: min(size, max(bytes.count, 1))) {
      let piece = bytes[start..<min(start + min(size, bytes.count), bytes.count)]
      piece.withUnsafeBytes { sha256_add(&hash, $0.baseAddress, $0.count) }
    }
    return Hex.encode(
      [UInt8](unsafeUninitializedCapacity: Int(sha256_length)) { digest, count in
        sha256_end(&hash, digest.baseAddress)
        count = digest.count
      })
  }

  // The examples that NIST gives for FIPS 180-4.
  @Test(
    "is that of the standard's examples, with the processor's instructions and without",
    arguments: [
      ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        Array(
          ("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
            + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu").utf8),
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
      ),
      (
        [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
      ),
    ] as [([UInt8], String)], [true, false])
  func standard(example: ([UInt8], String), isPlain: Bool) {
    #expect(Self.digest(example.0, plainly: isPlain) == example.1)
  }

  @Test("is the same in whatever pieces bytes come, and as OpenSSL has it", arguments: [true, false])
  func pieces(isPlain: Bool) {
    var generator = SeededGenerator(seed: 256)
    for length in Array(0...130) + [1000, 4096, 100_000] {
      let bytes = generator.bytes(length)
      let expected = SHA256Digest.digest(of: bytes).description
      for size in [1, 3, 63, 64, 65, 128, .max] where length < 10_000 || size > 60 {
        #expect(Self.digest(bytes, inPiecesOf: size, plainly: isPlain) == expected)
      }
    }
  }
}
