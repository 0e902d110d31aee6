import CacheStore
import SystemSupport

/// Gradle's build cache over HTTP: a task's outputs are one archive under the hash of all that went into it.
///
/// Source: Gradle's user manual, "HTTP build cache", and the class `HttpBuildCache`: 404 is a miss, any 2xx is stored.
/// Whatever else is answered makes Gradle do without the cache for the rest of the build, so nothing else is. The
/// outputs of a later build take the place of an earlier one's: one whose archive cannot be unpacked stores a new one.
package enum GradleProtocol: HTTPDialect {
  package static let namespace = "gradle"
  package static let root = "/gradle"
  package static let tool = "gradle"

  /// Bytes of a key: 16 in all versions so far, as many as the hash that Gradle happens to use.
  private static let lengths = 16...64

  package static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning {
    let name = request.path.dropFirst().utf8
    guard lengths.contains(name.count / 2), let bytes = Hex.decode(Array(name)),
      let key = CacheKey(namespace: namespace, bytes: bytes)
    else { return request.method == "PUT" ? .reply(.ok) : .nothing(for: request.method) }
    return request.meaning(of: key, put: HTTPPutTerms(mode: .replace, timing: .key))
  }
}
