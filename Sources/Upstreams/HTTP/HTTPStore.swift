import CacheStore
import ControlProtocol
import SystemSupport

/// A store with GET and PUT: an nginx with DAV, a bucket's public door, a cache of another build tool.
struct HTTPStore: ObjectStore {
  /// Without a slash at its end.
  private let base: String
  private let token: Secret?
  let isBazel: Bool

  init(_ settings: UpstreamSettings) {
    base = URLText.withoutTrailingSlashes(settings.url)
    token = settings.token
    isBazel = settings.layout == .bazel
  }

  func request(_ method: UpstreamRequest.Method, _ name: ObjectName, now: Int64) -> UpstreamRequest {
    request(method, path: (isBazel ? BazelLayout.actionPath(name) : nil) ?? name.path)
  }

  private static func target(of answer: StoreAnswer) -> String {
    guard let location = answer.head.fields["location"] else { return "another place" }
    // Without the object's name, of three parts.
    let path = location.prefix { $0 != "?" && $0 != "#" }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    let base = parts.joined(separator: "/")
    return DisplayText.clean(base.isEmpty || base.hasSuffix(":/") ? path : base[...], limit: 200)
  }

  /// A request for a path below the base.
  func request(_ method: UpstreamRequest.Method, path: String) -> UpstreamRequest {
    var request = UpstreamRequest(method: method, url: "\(base)/\(path)")
    if let token { request.headers.append(.init(name: "Authorization", value: "Bearer \(token.text)")) }
    if method == .put { request.headers.append(.init(name: "Content-Type", value: "application/octet-stream")) }
    return request
  }

  func blobURL(_ digest: Digest) -> String? { "\(base)/\(BazelLayout.blobPath(digest))" }

  func problem(_ answer: StoreAnswer, method: UpstreamRequest.Method) -> UpstreamProblem? {
    let status = answer.status
    switch (status, method) {
    case (404, .get), (410, .get), (404, .delete): return nil
    case (300..<400, _):
      return .init(
        kind: .lasting,
        text: "redirects to \(Self.target(of: answer)): set its url to where objects are")
    case (401, _), (403, _):
      let remedy = token == nil ? "set a token, or put a password into ~/.netrc" : "check the token"
      let right = method == .put ? "may not be written to with these credentials" : "refuses the credentials"
      return .init(
        kind: .lasting, text: "\(right) (\(status)): \(remedy)\(method == .put ? ", or set read_only = true" : "")")
    case (407, _): return .init(kind: .lasting, text: "cannot be reached: the proxy wants a password (407)")
    case (404, .put), (405, .put), (409, .put), (501, .put):
      return .init(
        kind: .lasting, text: "does not take objects (PUT: \(status)): set read_only = true, or allow PUT there")
    case (400, .put) where isBazel:
      return .init(
        kind: .lasting, text: "does not take objects (PUT: 400): set read_only = true, or see the cache's own log")
    case (413, .put): return .init(kind: .ofObject, text: "does not take an object of this size (413)")
    case (507, .put): return .init(kind: .passing, text: "is full (507)")
    case (429, _): return .init(kind: .passing, text: "is asked too often (429)")
    case (500..., _): return .init(kind: .passing, text: "fails (\(status)): see its own log")
    default: return .init(kind: .passing, text: "gives an answer that a store does not give (\(status)): check the url")
    }
  }
}
