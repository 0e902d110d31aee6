import SystemPackage
import Testing

@testable import Configuration

@Suite("The guard before the TOML parser")
struct ParserGuardTests {
  @Test(
    "stops what the parser would abort over",
    arguments: [
      ("[#", 1, 2), ("[ # old]", 1, 3), ("a = 1\n  [[.x]]", 2, 5), ("[=]", 1, 2), ("x = [}", 1, 6),
      ("x = [ # }\n 1, }", 2, 5), ("x = [[1], [}]", 1, 12), ("a = '''\n[#\n'''\n[\u{e4}]", 4, 2),
      ("a = \"\\\"[\"\n[?]", 2, 2),
    ])
  func flaws(text: String, line: Int, column: Int) {
    let flaw = ParserGuard.flaw(in: text)
    #expect(flaw?.line == line && flaw?.column == column)
    let error = #expect(throws: ConfigurationError.self) { try parse(text) }
    #expect(error?.place == .file("/project/.fabrik.toml", line: line, column: column))
  }

  @Test("stops a NUL byte, which would end the text unseen")
  func nul() {
    let flaw = ParserGuard.flaw(in: "[cache]\n# \u{0}\ndir = 3")
    #expect(flaw == .init(line: 2, column: 3, message: "a NUL byte"))
  }

  @Test(
    "lets everything valid pass",
    arguments: [
      "", "[a]", "[ a . b ]", "[[a]]", "[\"#\"]", "['}']", "\u{feff}[a]", "x = [ # }\n]", "x = [\n  [ 1 ],\n  [ ], \n]",
      "x = { a = [ 1 ], b = { } }", "x = [ { }, { a = [ ] } ]", "x = '[#' # [#", "x = \"\\\\\" # '",
      "x = \"\"\"\n[#\\\n\"\"\"",
      "x = ''' ' '' [# '''\n[b]", "[a] # [#\r\n[b]\r\n",
    ])
  func valid(text: String) {
    #expect(ParserGuard.flaw(in: text) == nil)
  }
}
