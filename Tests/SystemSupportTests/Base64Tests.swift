import Foundation
import SystemSupport
import Testing

@Suite("Base64")
struct Base64Tests {
  private static func decode(_ text: String) -> [UInt8]? {
    Array(text.utf8).withUnsafeBufferPointer(Base64.decode)
  }

  @Test("what Foundation has encoded is decoded", arguments: 0..<70)
  func roundTrip(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
    #expect(Self.decode(Data(bytes).base64EncodedString()) == bytes)
  }

  @Test(
    "what is not Base64 is refused",
    arguments: ["A", "AA", "AAA", "AA=A", "A===", "====", "AA==AA==", "AB==", "AAB=", "A-A_", "AAA\n", "AAAA "])
  func malformed(text: String) {
    #expect(Self.decode(text) == nil)
  }
}
