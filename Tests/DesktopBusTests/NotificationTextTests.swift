import Testing

@testable import DesktopBus

@Suite("Names that strangers chose")
struct NotificationTextTests {
  @Test(
    "are shown without what could mislead",
    arguments: [
      ("build-7", "build-7"), ("José's laptop", "José's laptop"), ("कंप्यूटर", "कंप्यूटर"), ("a\nb\tc\r\u{0}d", "a b c d"),
      ("  a   b ", "a b"), ("evil\u{202e}gpj.exe", "evilgpj.exe"), ("\u{2066}a\u{2069}\u{200b}\u{feff}b", "ab"),
      ("a\u{2028}b\u{2029}c", "a b c"), ("\u{e0041}\u{115f}\u{3164}", "unnamed"), ("", "unnamed"),
      (" \u{200d} ", "unnamed"),
      ("<b>&</b>", "<b>&</b>"), ("a\u{301}\u{301}\u{301}\u{301}\u{301}b", "a\u{301}\u{301}b"),
    ])
  func name(given: String, shown: String) {
    #expect(Array(NotificationText.name(given).unicodeScalars) == Array(shown.unicodeScalars))
  }

  @Test("are cut")
  func cut() {
    #expect(NotificationText.name(String(repeating: "x", count: 64)) == String(repeating: "x", count: 64))
    #expect(NotificationText.name(String(repeating: "x", count: 65)) == String(repeating: "x", count: 63) + "…")
    #expect(NotificationText.name(String(repeating: "\u{202e}", count: 1 << 20)) == "unnamed")
  }
}
