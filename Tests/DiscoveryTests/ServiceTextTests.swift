import Testing

@testable import Discovery

@Suite("Text of a service")
struct ServiceTextTests {
  private func pairs(_ strings: String...) -> [String: String] {
    ServiceText.pairs(strings.map { Array($0.utf8) })
  }

  @Test("reads back as it was written")
  func roundTrip() {
    let text = ["v": "1", "id": "0a", "empty": "", "equation": "a=b", "umlaut": "ä"]
    #expect(ServiceText.pairs(ServiceText.strings(text)) == text)
  }

  @Test("is written in a fixed order")
  func order() {
    #expect(ServiceText.strings(["b": "2", "a": "1", "c": "3"]) == ["a=1", "b=2", "c=3"].map { Array($0.utf8) })
  }

  @Test("takes the first of equal names, and leaves out what has no name")
  func oddities() {
    #expect(pairs("a=1", "a=2", "=3", "", "flag", "b==") == ["a": "1", "flag": "", "b": "="])
    #expect(ServiceText.pairs([[0xff, 0x3d, 0x31], [0x61, 0x3d, 0xff], [0x62, 0x3d]]) == ["b": ""])
  }

  @Test("is empty when it is longer than any of ours")
  func tooLong() {
    let longest = [UInt8](repeating: 97, count: 255)
    #expect(ServiceText.pairs([longest, longest, longest, longest]).count == 1)
    #expect(ServiceText.pairs([longest, longest, longest, longest, [98, 99, 100, 101, 102]]).isEmpty)
  }
}
