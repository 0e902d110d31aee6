import CacheStore
import FrontEnds
import Testing

@Suite("Dialects of HTTP")
struct HTTPDialectTests {
  private static let sha = String(repeating: "0f", count: 32)
  /// A request for an entry, in each dialect that has plain keys.
  private static let targets = [
    "/turbo/v8/artifacts/12ab34cd56ef7890", "/nx/v1/cache/1234567890", "/vcpkg/\(sha)", "/gradle/\(sha.prefix(32))",
    "/bazel/cas/\(sha)",
  ]

  @Test(
    "a name is a key of the tool's namespace",
    arguments: zip(targets, ["turbo", "nx", "vcpkg", "gradle", "bazel-cas"]))
  func keys(target: String, namespace: String) throws {
    #expect(try #require(HTTPAsked.key(target)).namespace == namespace)
    #expect(HTTPAsked.key("\(target)?teamId=team_1&slug=fabrik") == HTTPAsked.key(target))
  }

  @Test("all methods lead to the same key", arguments: targets)
  func methods(target: String) throws {
    let key = try #require(HTTPAsked.key(target))
    guard case .put(let stored, _)? = HTTPAsked.meaning("PUT", target),
      case .exists(let asked, _)? = HTTPAsked.meaning("HEAD", target)
    else {
      Issue.record("no key")
      return
    }
    #expect(stored == key)
    #expect(asked == key)
  }

  @Test(
    "what is no key is a miss, and cannot be stored",
    arguments: [
      "/turbo/v8/artifacts/", "/turbo/v8/artifacts/a/b", "/turbo/v8/artifacts/a.b", "/turbo/v8/artifactsabc",
      "/turbo/v9/artifacts/abc", "/nx/v1/cache/", "/nx/v1/cache/../x", "/nx/v1/cache/%2e", "/nx/v2/cache/1",
      "/nx/v1/cache/" + String(repeating: "a", count: 129), "/vcpkg/", "/vcpkg/\(sha)0", "/vcpkg/\(sha.uppercased())",
      "/vcpkg/x\(sha.dropFirst())", "/bazel/ac/", "/bazel/ac/\(sha)0", "/bazel/cas/\(sha.dropFirst(2))",
      "/bazel/cas/\(sha)/x", "/bazel/\(sha)", "/bazel/cas/blake3/\(sha)",
    ])
  func noKeys(target: String) {
    #expect(HTTPAsked.meaning("GET", target) == .reply(.notFound))
    #expect(HTTPAsked.meaning("PUT", target) == .reply(.notAllowed))
  }

  @Test(
    "Gradle would do without its cache after any other answer",
    arguments: ["/gradle/", "/gradle/abc", "/gradle/\(sha)\(sha)ab", "/gradle/" + String(repeating: "x", count: 32)])
  func gradle(target: String) {
    #expect(HTTPAsked.meaning("GET", target) == .reply(.notFound))
    #expect(HTTPAsked.meaning("PUT", target) == .reply(.ok))
  }

  @Test("a result of Bazel's counts only as a whole, and may change")
  func bazelResults() throws {
    let key = try #require(CacheKey(namespace: "bazel-ac", bytes: [UInt8](repeating: 15, count: 32)))
    #expect(HTTPAsked.meaning("GET", "/bazel/ac/\(Self.sha)") == .getWhole(key))
    guard case .put(key, let terms)? = HTTPAsked.meaning("PUT", "/bazel/ac/\(Self.sha)") else {
      Issue.record("no key")
      return
    }
    #expect(terms.mode == .replace && terms.expected == nil)
  }

  @Test("a file of Bazel's is the one with its digest, and the empty one is always there")
  func bazelFiles() {
    guard case .put(_, let terms)? = HTTPAsked.meaning("PUT", "/bazel/cas/\(Self.sha)") else {
      Issue.record("no key")
      return
    }
    #expect(terms.expected == Digest(bytes: [UInt8](repeating: 15, count: 32)))
    for method in ["GET", "HEAD"] {
      #expect(HTTPAsked.meaning(method, "/bazel/cas/\(BazelProtocol.emptyFile)") == .reply(.ok))
    }
  }

  @Test(
    "a path that only begins like a dialect's belongs to none", arguments: ["/", "/turbo", "/turbox/v8", "//nx/v1"])
  func others(target: String) {
    #expect(HTTPAsked.meaning("GET", target) == nil)
  }

  @Test("Turborepo's durations and signatures are kept, and come back")
  func turborepoHeaders() throws {
    let target = "/turbo/v8/artifacts/abc"
    let headers = ["x-artifact-duration": "1234", "x-artifact-tag": "c2lnbmF0dXJl"]
    guard case .put(_, let terms)? = HTTPAsked.meaning("PUT", target, headers: headers),
      case .get(_, let note)? = HTTPAsked.meaning("GET", target)
    else {
      Issue.record("no key")
      return
    }
    #expect(terms.timing == .stated(1234))
    #expect(terms.note?.body == Array("c2lnbmF0dXJl".utf8))
    #expect(terms.note?.key == note)
    #expect(
      TurborepoProtocol.headers(of: HTTPBodyFacts(size: 1, duration: 1234, note: terms.note?.body))
        == "x-artifact-duration: 1234\r\nx-artifact-tag: c2lnbmF0dXJl\r\n")
    #expect(TurborepoProtocol.headers(of: HTTPBodyFacts(size: 1, duration: nil)) == "")
  }

  @Test("a signature that is none does not get into the headers", arguments: ["a\r\nX: y", "a b", "", "\u{7f}"])
  func wrongSignatures(tag: String) {
    #expect(TurborepoProtocol.headers(of: HTTPBodyFacts(size: 1, duration: nil, note: Array(tag.utf8))) == "")
  }

  @Test("Turborepo's other questions are answered")
  func turborepoQuestions() {
    #expect(HTTPAsked.meaning("GET", "/turbo/v8/artifacts/status") == .reply(.json(#"{"status":"enabled"}"#)))
    #expect(HTTPAsked.meaning("POST", "/turbo/v8/artifacts/events") == .reply(.json("{}")))
    guard case .reply(let preflight)? = HTTPAsked.meaning("OPTIONS", "/turbo/v8/artifacts/abc") else {
      Issue.record("no answer")
      return
    }
    #expect(preflight.status == 200)
    #expect(preflight.headers.contains("Access-Control-Allow-Headers: Authorization,"))
  }

  @Test("Nx's records are never overwritten")
  func nxRecords() {
    guard case .put(_, let terms)? = HTTPAsked.meaning("PUT", "/nx/v1/cache/1") else {
      Issue.record("no key")
      return
    }
    #expect(terms.mode == .keepFirst)
    #expect(terms.existing.status == 409)
  }

  @Test("an answer says how long it is")
  func replies() {
    #expect(HTTPReply.ok.text(isKeptAlive: true) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    #expect(
      HTTPReply(200, headers: "A: b\r\n", body: "äh").text(isKeptAlive: false)
        == "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\nConnection: close\r\n\r\näh")
    #expect(HTTPReply(200, body: "body").text(isKeptAlive: true, isBodyless: true).hasSuffix("4\r\n\r\n"))
  }
}
