import Foundation
import FrontEnds
import TestSupport
import Testing

@Suite("Base64")
struct Base64Tests {
  @Test("bytes of all lengths are written as Foundation writes them, and read again", arguments: 0..<40)
  func roundTrip(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let bytes = generator.bytes(count)
    let text = Base64.encode(bytes)
    #expect(String(decoding: text, as: UTF8.self) == Data(bytes).base64EncodedString())
    #expect(text.withUnsafeBytes { Base64.decode($0) } == bytes)
  }

  @Test(
    "what is not whole groups of the alphabet is refused",
    arguments: [
      "A", "AA", "AAA", "A===", "====", "AA=A", "=AAA", "AAA-", "AA AAAAA", "AAAAA===", "AAAA\n", "AA==AAAA", "Ä",
      "AB==", "AAB=",
    ])
  func malformed(text: String) {
    #expect(Array(text.utf8).withUnsafeBytes { Base64.decode($0) } == nil)
  }
}
