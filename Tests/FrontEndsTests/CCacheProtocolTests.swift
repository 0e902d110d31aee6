import CacheStore
import FrontEnds
import TestSupport
import Testing

@Suite("Paths of ccache's HTTP storage")
struct CCacheProtocolTests {
  /// As ccache 4.14.2 and 4.7.5 asked for them.
  private static let recorded = [
    "/ccache/ac/7e17c9b6e0a4382c35f0fe3a8a9205a37c1c2f547e17c9b6e0a4382c35f0fe3a",
    "/ccache/ac/1bc494ab9e8d577927fb17c225d29636355b6eea1bc494ab9e8d577927fb17c2",
  ]

  @Test("what ccache asks for is a key of 20 bytes", arguments: recorded)
  func whatCCacheAsks(path: String) throws {
    let key = try #require(HTTPAsked.key(path))
    #expect(key.namespace == "ccache")
    #expect(key.description == "ccache/\(path.dropFirst(11).prefix(40))")
  }

  @Test("both ways to the store lead to the same key")
  func sameKey() {
    let bytes = [UInt8](0..<20)
    let hex = "000102030405060708090a0b0c0d0e0f10111213000102030405060708090a0b"
    #expect(CCacheProtocol.key(bytes) == HTTPAsked.key("/ccache/ac/\(hex)"))
  }

  private static let key = String(recorded[0].dropFirst(11))

  @Test(
    "everything else is no key",
    arguments: [
      "", "/", "/ccache", "/ccache/", "/ccache/ac/", "/ccache/ac", "ccache/ac/\(key)", "//ccache/ac/\(key)",
      "/ccache/cas/\(key)", "/ccache/AC/\(key)", "/ccache/ac/\(key)/", "/ccache/ac/\(key)#",
      "/ccache/ac/\(key.uppercased())", "/ccache/ac/\(key.dropLast())", "/ccache/ac/\(key)0",
      "/ccache/ac/\(key.dropLast())g", "/ccache/ac/\(key.dropLast())\0", "/ccache/ac/\(key.dropLast(2))ä",
      "/ccache/ac/\(key.dropLast())0", "/ccache/ac/\(key.prefix(40))", "http://127.0.0.1/ccache/ac/\(key)",
      "/ccache/ac/../../../../../../../../../../../../../../../../../../../etc/passwd",
      "/ccache/ac/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fpw",
      "/ccache/ac/./\(key.dropFirst(2))",
      "/../ccache/ac/\(key)", "/ccache/../ccache/ac/\(key)", "/ccache/ac/%37\(key.dropFirst(3))",
      "/ccache/ac\\\(key)", "/ccache/ac/\(key.prefix(62))\u{661}", "/ccache/a\u{441}/\(key.dropLast())",
    ])
  func noKey(path: String) {
    #expect(HTTPAsked.key(path) == nil)
  }

  @Test("no random path of the right length is a key", arguments: 0..<20)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let alphabet = Array("0123456789abcdefABCDEF/.%\\ \u{0}ÄA\u{301}")
    for _ in 0..<200 {
      let tail = String((0..<64).map { _ in alphabet.randomElement(using: &generator)! })
      #expect(HTTPAsked.key("/ccache/ac/\(tail)") == nil)
    }
  }

  @Test(
    "keys over the helper protocol may have any length a key can have",
    arguments: [(0, false), (1, true), (255, false)])
  func lengths(count: Int, isKey: Bool) {
    #expect((CCacheProtocol.key([UInt8](repeating: 1, count: count)) != nil) == isKey)
  }
}
