import CacheStore

/// Turborepo's remote cache. A task's outputs are one archive under the task's hash.
///
/// Source: Vercel's Remote Cache API, version 8, and its client (`turborepo-api-client`), which takes 404 for a miss
/// and any 2xx for stored. Two headers of a put come back with the archive: how long the task took, and, where the
/// repository signs archives, the signature, which is the client's to check.
package enum TurborepoProtocol: HTTPDialect {
  package static let namespace = "turbo"
  package static let root = "/turbo"
  package static let tool = "turbo"
  /// Signatures, under the same hashes.
  private static let tagNamespace = "turbo-tag"

  private static let artifacts = "/v8/artifacts"
  /// The most that the API's document allows.
  private static let longestTag = 600

  package static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning {
    guard request.path.hasPrefix(artifacts) else { return .nothing(for: request.method) }
    let rest = request.path.dropFirst(artifacts.count)
    switch (request.method, rest) {
    case ("OPTIONS", _): return .reply(preflight)
    case ("GET", "/status"): return .reply(.json(#"{"status":"enabled"}"#))
    // What the tool took from its own cache is of no interest here.
    case ("POST", "/events"): return .reply(.json("{}"))
    default: break
    }
    guard rest.first == "/", let key = HTTPKeys.word(rest.dropFirst(), namespace: namespace),
      let tagKey = HTTPKeys.word(rest.dropFirst(), namespace: tagNamespace)
    else { return .nothing(for: request.method) }
    return request.meaning(of: key, note: tagKey, put: terms(of: request, tagKey))
  }

  private static func terms(of put: HTTPCacheRequest, _ tagKey: CacheKey) -> HTTPPutTerms {
    let duration = put.header("x-artifact-duration").flatMap { UInt32($0) }
    // Without one, what was there before must not be taken for this artifact's.
    let tag = put.header("x-artifact-tag") ?? ""
    let isTag = tag.utf8.count <= longestTag && tag.utf8.allSatisfy(isTagByte)
    return HTTPPutTerms(
      mode: .replace, timing: duration.map { .stated($0) } ?? .key,
      note: .init(key: tagKey, body: isTag ? Array(tag.utf8) : []))
  }

  package static func headers(of body: HTTPBodyFacts) -> String {
    var headers = body.duration.map { "x-artifact-duration: \($0)\r\n" } ?? ""
    // It came out of the store, but another team member may have put it there.
    if let tag = body.note, !tag.isEmpty, tag.count <= longestTag, tag.allSatisfy(isTagByte) {
      headers += "x-artifact-tag: \(String(decoding: tag, as: UTF8.self))\r\n"
    }
    return headers
  }

  private static func isTagByte(_ byte: UInt8) -> Bool { (0x21...0x7e).contains(byte) }

  /// With `TURBO_PREFLIGHT=1` the client asks beforehand whether it may send its token, as a browser would.
  private static let preflight = HTTPReply(
    200,
    headers: """
      Access-Control-Allow-Methods: GET, HEAD, PUT, POST\r
      Access-Control-Allow-Headers: Authorization, Content-Type, User-Agent, x-artifact-duration, x-artifact-tag\r\n
      """)
}
