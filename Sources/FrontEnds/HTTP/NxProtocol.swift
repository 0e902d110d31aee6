import CacheStore

/// Nx's cache for those who host it themselves: a task's outputs are one archive under the task's hash.
///
/// Source: Nx's "Self-hosted remote cache" OpenAPI document, and its client (`http_remote_cache.rs`), which is stricter
/// than the document: a put that was stored must be answered 200, not 202. What is there is never overwritten (409), so
/// that nobody can put something else in its place.
package enum NxProtocol: HTTPDialect {
  package static let namespace = "nx"
  package static let root = "/nx"
  package static let tool = "nx"

  private static let records = "/v1/cache/"

  package static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning {
    guard request.path.hasPrefix(records),
      let key = HTTPKeys.word(request.path.dropFirst(records.count), namespace: namespace)
    else { return .nothing(for: request.method) }
    return request.meaning(of: key, put: HTTPPutTerms(mode: .keepFirst, timing: .key, existing: .conflict))
  }
}
