import CacheStore
import FrontEnds

/// What the HTTP front end understands of a request.
enum HTTPAsked {
  /// nil: the target belongs to no dialect.
  static func meaning(
    _ method: String, _ target: String, headers: [String: String] = [:]
  ) -> HTTPCacheRequest.Meaning? {
    guard let (dialect, target) = HTTPDialects.find(target) else { return nil }
    return dialect.meaning(of: HTTPCacheRequest(method: method, target: target) { headers[$0] })
  }

  /// The key that a GET asks for.
  static func key(_ target: String) -> CacheKey? {
    guard case .get(let key, _)? = meaning("GET", target) else { return nil }
    return key
  }
}
