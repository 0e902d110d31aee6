import CacheStore

/// sccache's WebDAV storage. A compiler's outputs are one archive under `/a/b/c/abc…`: the SHA-256 of all that went
/// into it, below three directories named after its first digits.
///
/// Source: RFC 4918, and sccache's client (opendal's WebDAV service): before it puts something it asks for the
/// properties of the directory, and where that is not answered with a collection that has a date, it silently stores
/// nothing. When it starts, it reads and writes a file of its own, to find out whether it may.
///
/// What sccache cannot read it builds and puts again, so that a put has to replace what is there.
package enum SccacheProtocol: HTTPDialect {
  package static let namespace = "sccache"
  package static let root = "/sccache"
  package static let tool = "sccache"

  package static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning {
    if request.path == "/.sccache_check" {
      return request.method == "PUT" ? .reply(.ok) : .nothing(for: request.method)
    }
    if isDirectory(request.path) {
      switch request.method {
      case "PROPFIND": return .reply(properties(of: request.path))
      // It is there already.
      case "MKCOL": return .reply(.notAllowed)
      default: return .nothing(for: request.method)
      }
    }
    guard let key = key(request.path) else { return .nothing(for: request.method) }
    return request.meaning(of: key, isRemovable: true, put: HTTPPutTerms(mode: .replace, timing: .key))
  }

  /// `/a/b/c/abc…`, the last with 64 digits; nil for anything else.
  private static func key(_ path: Substring) -> CacheKey? {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[0].isEmpty, parts[1...3].joined() == parts[4].prefix(3),
      parts[1...3].allSatisfy({ $0.utf8.count == 1 })
    else { return nil }
    return HTTPKeys.hex(parts[4], bytes: 32, namespace: namespace)
  }

  /// `/`, `/a/`, `/a/b/`, `/a/b/c/`.
  private static func isDirectory(_ path: Substring) -> Bool {
    guard path.last == "/", path.utf8.count <= 7 else { return false }
    return path.dropLast().split(separator: "/", omittingEmptySubsequences: false).dropFirst().allSatisfy { part in
      part.utf8.count == 1 && part.allSatisfy { $0.isASCII && $0.isHexDigit }
    }
  }

  private static func properties(of directory: Substring) -> HTTPReply {
    HTTPReply(
      207, headers: "Content-Type: application/xml\r\n",
      body: """
        <?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>\(root)\(directory)</D:href>\
        <D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>\
        <D:getlastmodified>Thu, 01 Jan 1970 00:00:00 GMT</D:getlastmodified></D:prop>\
        <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>
        """)
  }
}
