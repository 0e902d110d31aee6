package import CacheStore

/// Bazel's HTTP caching protocol: `/ac/KEY` is the result of an action, `/cas/DIGEST` a file.
///
/// Source: Bazel's documentation, "Remote Caching: HTTP Caching Protocol". A result names files by their digests. Bazel
/// trusts it: where a result is there and a file is not, an older one fails the build, or at best does all the work of
/// a hit before it builds after all. So a result counts only when all that it names is there; see ``BazelActionResult``.
package enum BazelProtocol: HTTPDialect {
  package static let actionNamespace = "bazel-ac"
  package static let fileNamespace = "bazel-cas"
  package static let root = "/bazel"
  package static let tool = "bazel"

  /// The file without content. It is always there; some clients never send it.
  package static let emptyFile = Digest(bytes: [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
  ])

  package static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning {
    let path = request.path
    if path.hasPrefix("/ac/"), let key = HTTPKeys.hex(path.dropFirst(4), bytes: 32, namespace: actionNamespace) {
      // For HEAD it is enough that it is there: nobody asks for a result without wanting what it names.
      if request.method == "GET" { return .getWhole(key) }
      return request.meaning(of: key, put: HTTPPutTerms(mode: .replace, timing: .key))
    }
    guard path.hasPrefix("/cas/"), let key = HTTPKeys.hex(path.dropFirst(5), bytes: 32, namespace: fileNamespace)
    else { return .nothing(for: request.method) }
    if key.contentDigest == emptyFile, ["GET", "HEAD"].contains(request.method) { return .reply(.ok) }
    return request.meaning(
      of: key, put: HTTPPutTerms(mode: .keepFirst, timing: .none, expected: key.contentDigest))
  }

  /// The key under which a file is stored.
  package static func key(ofFile digest: Digest) -> CacheKey? {
    CacheKey(namespace: fileNamespace, bytes: digest.bytes)
  }
}
