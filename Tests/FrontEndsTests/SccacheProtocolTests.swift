import CacheStore
import FrontEnds
import Testing

@Suite("sccache's WebDAV")
struct SccacheProtocolTests {
  private static let name = "abc" + String(repeating: "0", count: 61)
  private static let target = "/sccache/a/b/c/\(name)"

  @Test("an archive is an entry under its hash, and a new one replaces it")
  func entries() throws {
    let key = try #require(HTTPAsked.key(Self.target))
    #expect(key.namespace == "sccache" && key.bytes.count == 32)
    #expect(HTTPAsked.meaning("PUT", Self.target) == .put(key, HTTPPutTerms(mode: .replace, timing: .key)))
    #expect(HTTPAsked.meaning("HEAD", Self.target) == .exists(key))
    #expect(HTTPAsked.meaning("DELETE", Self.target) == .remove(key))
  }

  @Test(
    "what is no archive is a miss, and cannot be stored",
    arguments: [
      "/sccache/", "/sccache/\(name)", "/sccache/a/b/\(name)", "/sccache/a/b/d/\(name)", "/sccache/a/b/c/\(name)0",
      "/sccache/ab/c//\(name)", "/sccache/a/b/c/abc", "/sccache/a/b/c/../\(name)", "/sccache//a/b/c/\(name)",
      "/sccache/A/B/C/\(name.uppercased())",
    ])
  func others(target: String) {
    #expect(HTTPAsked.meaning("GET", target) == .reply(.notFound))
    #expect(HTTPAsked.meaning("PUT", target) == .reply(.notAllowed))
  }

  @Test("each directory is there, with a date", arguments: ["/", "/a/", "/a/b/", "/a/b/c/"])
  func directories(path: String) {
    guard case .reply(let reply)? = HTTPAsked.meaning("PROPFIND", "/sccache\(path)") else {
      Issue.record("no answer")
      return
    }
    #expect(reply.status == 207)
    #expect(reply.body.contains("<D:href>/sccache\(path)</D:href>"))
    #expect(reply.body.contains("<D:collection/>") && reply.body.contains("<D:getlastmodified>"))
    // RFC 4918, 9.3.1: it exists.
    #expect(HTTPAsked.meaning("MKCOL", "/sccache\(path)") == .reply(.notAllowed))
  }

  @Test(
    "no other directory is, whatever its name would do to the answer", arguments: ["/<x>/", "/a/b/c/d/", "/ab/", "/é/"])
  func noDirectories(path: String) {
    #expect(HTTPAsked.meaning("PROPFIND", "/sccache\(path)") == .reply(.notAllowed))
  }

  @Test("sccache may write, as it finds out when it starts")
  func check() {
    #expect(HTTPAsked.meaning("GET", "/sccache/.sccache_check") == .reply(.notFound))
    #expect(HTTPAsked.meaning("PUT", "/sccache/.sccache_check") == .reply(.ok))
  }
}
