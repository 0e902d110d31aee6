import SystemSupport
import TestSupport
import Testing

@Suite("Hexadecimal text")
struct HexTests {
  @Test("of any bytes reads back", arguments: 0..<50)
  func roundTrip(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let bytes = generator.bytes(count)
    let text = Hex.encode(bytes)
    #expect(text.utf8.count == 2 * count)
    #expect(Hex.decode(Array(text.utf8)) == bytes)
    #expect(Hex.encodeBytes(bytes) == Array(text.utf8))
  }

  @Test("is lower case with leading zeros")
  func form() {
    #expect(Hex.encode([0, 1, 0x9f, 0xff]) == "00019fff")
  }

  @Test("is nothing else", arguments: ["0", "abc", "0g", "AB", "0x", " 0", "00 ", "-1", "ä", "\u{661}\u{661}", "0\0"])
  func invalid(text: String) {
    #expect(Hex.decode(Array(text.utf8)) == nil)
  }
}

@Suite("JSON text")
struct JSONTextTests {
  @Test(
    "quotes what must be quoted",
    arguments: [
      ("", #""""#), ("plain", #""plain""#), ("a\"b\\c/", #""a\"b\\c/""#), ("\n\t\r", #""\n\t\u000d""#),
      ("\u{0}\u{1f}", #""\u0000\u001f""#), ("äöü 漢 👩‍👩‍👧‍👦", "\"äöü 漢 👩‍👩‍👧‍👦\""), ("\u{7f}\u{2028}", "\"\u{7f}\u{2028}\""),
      ("e\u{301}", "\"e\u{301}\""), ("\r\n", #""\u000d\n""#),
    ])
  func strings(text: String, json: String) {
    #expect(Array(JSONText.string(text).text.utf8) == Array(json.utf8))
  }

  @Test("nests, without blanks, in the order given")
  func nested() {
    let value = JSONText.object([
      ("b", .array([.integer(1), .bool(true), .bool(false), .number("1.50")])), ("a\"", .object([])), ("c", .array([])),
      ("d", .integer(Int64.min)), ("e", .integer(UInt64.max)),
    ])
    #expect(
      value.text
        == #"{"b":[1,true,false,1.50],"a\"":{},"c":[],"d":-9223372036854775808,"e":18446744073709551615}"#)
  }
}
