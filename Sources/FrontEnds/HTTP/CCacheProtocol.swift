package import CacheStore
import SystemSupport

/// What ccache's two ways to a remote store have in common, and its way over HTTP.
///
/// A result is written once; a manifest is overwritten each time a source file is seen with other headers. The two
/// cannot be told apart by their keys, so every put replaces.
package enum CCacheProtocol: HTTPDialect {
  package static let namespace = "ccache"
  package static let root = "/ccache"
  package static let tool = "ccache"

  /// ccache's keys are 20 bytes, a BLAKE3 hash (ccache 4.x, `core/cachekey`); the protocols allow other lengths.
  package static func key(_ bytes: [UInt8]) -> CacheKey? {
    CacheKey(namespace: namespace, bytes: bytes)
  }

  package static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning {
    guard let key = key(path: request.path) else { return .nothing(for: request.method) }
    return request.meaning(of: key, isRemovable: true, put: HTTPPutTerms(mode: .replace, timing: .connection))
  }

  /// The key of a path in the layout `bazel`: `/ac/` and 64 hexadecimal digits, which are the key's 40 followed by its
  /// first 24 once more. This layout writes keys in hexadecimal in all versions of ccache; the others do not.
  private static func key(path: Substring) -> CacheKey? {
    var path = path
    return path.withUTF8 { path in
      guard path.count == objectPrefix.count + 64, path.starts(with: objectPrefix),
        let bytes = Hex.decode(UnsafeBufferPointer(rebasing: path[objectPrefix.count...])),
        bytes[20...].elementsEqual(bytes[..<12])
      else { return nil }
      return key(Array(bytes[..<20]))
    }
  }

  private static let objectPrefix = Array("/ac/".utf8)
}
