import SystemSupport
import Testing

@Suite("Text that others chose")
struct DisplayTextTests {
  @Test(
    "is shown without what a terminal or a reader could take for something else",
    arguments: [
      ("laptop", "laptop"), ("build-7", "build-7"), ("José's laptop", "José's laptop"), ("Büro 漢字", "Büro 漢字"),
      ("कंप्यूटर", "कंप्यूटर"), ("`$(x)`", "`$(x)`"), ("<b>&</b>", "<b>&</b>"),
      // Blanks.
      ("a\u{1b}[31mb\n\rc\u{7}", "a[31mb c"), ("a\nb\tc\r\u{0}d", "a b c d"), ("  a   b ", "a b"),
      ("  a \u{a0}\u{3000} b  ", "a b"), ("a\u{2028}b", "a b"), ("a\u{2028}b\u{2029}c", "a b c"),
      ("a\u{85}b", "a b"),
      // What is obeyed, or cannot be seen.
      ("\u{202e}evil\u{2066}", "evil"), ("evil\u{202e}gpj.exe", "evilgpj.exe"), ("\u{80}\u{9b}31m", "31m"),
      ("a\u{200b}\u{200d}\u{feff}b", "ab"), ("\u{2066}a\u{2069}\u{200b}\u{feff}b", "ab"), ("a\u{e0041}b", "ab"),
      ("laptop\u{3164}", "laptop"), ("lap\u{115f}top", "laptop"),
      // Accents.
      ("\u{301}x", "x"), ("e\u{301}\u{302}\u{303}\u{304}", "e\u{301}\u{302}"),
      ("a\u{301}\u{301}\u{301}\u{301}\u{301}b", "a\u{301}\u{301}b"),
      // Nothing.
      ("", "unnamed"), (" \n", "unnamed"), ("\u{e000}", "unnamed"), (" \u{200d} ", "unnamed"),
      ("\u{3164}", "unnamed"), ("\u{115f}", "unnamed"), ("\u{e0041}\u{115f}\u{3164}", "unnamed"),
    ])
  func name(text: String, shown: String) {
    #expect(Array(DisplayText.name(text).unicodeScalars) == Array(shown.unicodeScalars))
  }

  @Test("is cut, and shows it", arguments: [DisplayText.longestName, 10, 2])
  func cut(limit: Int) {
    func x(_ count: Int) -> String { String(repeating: "x", count: count) }
    #expect(DisplayText.clean(x(limit), limit: limit) == x(limit))
    #expect(DisplayText.clean(x(limit) + " \n", limit: limit) == x(limit))
    #expect(DisplayText.clean(x(limit + 1), limit: limit) == x(limit - 1) + "…")
    #expect(DisplayText.clean(x(limit) + " y", limit: limit) == x(limit - 1) + "…")
    #expect(DisplayText.clean(x(limit - 1) + " y", limit: limit) == x(limit - 1) + "…")
    #expect(DisplayText.clean(String(repeating: "e\u{301}", count: 1000), limit: limit).unicodeScalars.count == limit)
  }

  @Test("is looked at no further than needed")
  func long() {
    #expect(DisplayText.name(String(repeating: "\u{202e}", count: 1 << 20)) == "unnamed")
    #expect(DisplayText.name(String(repeating: " ", count: 1 << 20) + "x") == "unnamed")
    #expect(DisplayText.name(String(repeating: "x", count: 1000)).count == DisplayText.longestName)
  }

  @Test(
    "keeps its lines where there is room for them",
    arguments: [("a\nb", "a\nb"), ("\n a \n\n b\r\n", "a\n\nb"), ("a\u{2028}b", "a b"), ("\n", "")])
  func lines(text: String, shown: String) {
    #expect(DisplayText.clean(text, limit: 100, keepsLines: true) == shown)
  }
}
