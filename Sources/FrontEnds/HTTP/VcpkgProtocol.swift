import CacheStore

/// vcpkg's binary caching over HTTP: a built package is one archive under the hash of all that went into it (its "ABI
/// hash", 64 hexadecimal digits), as the address that is injected has it.
///
/// Source: vcpkg's documentation, "HTTP provider".
package enum VcpkgProtocol: HTTPDialect {
  package static let namespace = "vcpkg"
  package static let root = "/vcpkg"
  package static let tool = "vcpkg"

  package static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning {
    guard let key = HTTPKeys.hex(request.path.dropFirst(), bytes: 32, namespace: namespace) else {
      return .nothing(for: request.method)
    }
    return request.meaning(of: key, put: HTTPPutTerms(mode: .keepFirst, timing: .key))
  }
}
