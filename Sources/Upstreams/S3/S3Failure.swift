import SystemSupport

/// What a store means by an answer that is not a success, as the "Amazon S3 API Reference" (Error Responses) has it and
/// other engines imitate it. Nothing of the answer is trusted: it may come from anybody who sits at that address.
struct S3Failure: Error, Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// A plain miss.
    case noSuchKey
    case noSuchBucket
    case accessDenied
    /// The key's identifier, the signature or the session token is wrong.
    case wrongCredentials
    /// The session token was right and is so no more.
    case expiredCredentials
    /// The right region, if the store says it.
    case wrongRegion(String?)
    case skewedClock
    /// The store asks for fewer requests.
    case slowDown
    case other
  }

  let kind: Kind
  let status: Int
  /// The store's name for what happened; nil if it gives none.
  let code: String?
  /// The store's own words, fit to be shown; may be empty.
  let message: String

  private static let longestMessage = 200

  /// - Parameters:
  ///   - body: What came, if only its beginning.
  ///   - bucketRegion: The header `x-amz-bucket-region`.
  init(method: UpstreamRequest.Method, status: Int, body: [UInt8], bucketRegion: String? = nil) {
    let error = ErrorDocument(body.prefix(StoreAnswer.bodyLimit))
    self.status = status
    code = error?["Code"].flatMap { Self.isCode($0) ? $0 : nil }
    message = DisplayText.clean(error?["Message"] ?? "", limit: Self.longestMessage)
    let region = [error?["Region"], bucketRegion].lazy.compactMap { $0 }.first(where: S3Location.isRegion)
    kind =
      code.flatMap { Self.regionCodes.contains($0) ? .wrongRegion(region) : Self.kinds[$0] }
      ?? Self.kind(of: status, method: method, hasCode: code != nil, region: region)
  }

  /// What is wrong and what the user can do about it, on one line.
  ///
  /// - Parameters:
  ///   - location: Where the request went.
  ///   - isSigned: Whether there were credentials.
  func sentence(_ location: S3Location, isSigned: Bool) -> String {
    let reason = code ?? "status \(status)"
    switch kind {
    case .noSuchKey: return "the store does not have the object"
    case .noSuchBucket:
      return "there is no bucket '\(location.bucket)' at \(location.host): make it, or correct url or endpoint"
    case .wrongRegion(let region?): return "the bucket is in \(region): set region = \"\(region)\""
    case .wrongRegion(nil):
      return "the bucket is not in \(location.region) (\(reason)): set region to the bucket's"
    case .skewedClock: return "the store refused the time of this machine (\(reason)): set its clock"
    case .slowDown: return "the store asks for fewer requests (\(reason)): it is used again later"
    case _ where !isSigned && [400, 401, 403].contains(status):
      return "the store refused a request without credentials (\(reason)): set AWS_ACCESS_KEY_ID and "
        + "AWS_SECRET_ACCESS_KEY, or profile"
    case .accessDenied:
      return "the store denied access (\(reason)): give these credentials s3:GetObject, s3:PutObject and, so that a "
        + "missing object is not taken for a forbidden one, s3:ListBucket on '\(location.bucket)', or use others"
    case .wrongCredentials:
      return "the store refused the credentials (\(reason)): check AWS_ACCESS_KEY_ID or the profile"
    case .expiredCredentials: return "the credentials have expired (\(reason)): fetch new ones"
    case .other:
      return "the store answered with \(status)\(code.map { " \($0)" } ?? "")\(message.isEmpty ? "" : ": \(message)")"
    }
  }

  private static let kinds: [String: Kind] = [
    "NoSuchKey": .noSuchKey,
    "NoSuchBucket": .noSuchBucket,
    "AccessDenied": .accessDenied,
    "AllAccessDisabled": .accessDenied,
    "InvalidAccessKeyId": .wrongCredentials,
    "SignatureDoesNotMatch": .wrongCredentials,
    "InvalidToken": .wrongCredentials,
    // MinIO's name for it.
    "InvalidTokenId": .wrongCredentials,
    "ExpiredToken": .expiredCredentials,
    "TokenRefreshRequired": .expiredCredentials,
    "RequestTimeTooSkewed": .skewedClock,
    "SlowDown": .slowDown,
    // MinIO's names for it.
    "SlowDownRead": .slowDown,
    "SlowDownWrite": .slowDown,
    "ServiceUnavailable": .slowDown,
    "RequestLimitExceeded": .slowDown,
    "TooManyRequests": .slowDown,
  ]

  private static let regionCodes: Set<String> = ["AuthorizationHeaderMalformed", "PermanentRedirect"]

  /// What an answer means that has no code, or one that is not known.
  private static func kind(
    of status: Int, method: UpstreamRequest.Method, hasCode: Bool, region: String?
  ) -> Kind {
    switch status {
    case 301 where region != nil, 307 where region != nil, 308 where region != nil: .wrongRegion(region)
    case 400 where !hasCode && region != nil: .wrongRegion(region)
    case 401 where !hasCode, 403 where !hasCode: .accessDenied
    // An object that is to be written cannot be missing.
    case 404 where !hasCode && method != .put: .noSuchKey
    case 429, 503: .slowDown
    default: .other
    }
  }

  private static func isCode(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count) && text.isHeaderToken
      && text.utf8.allSatisfy { !"\"'<>&;".utf8.contains($0) }
  }
}

/// The elements of an `<Error>` document, found without regard to how they are nested: engines differ in what stands
/// around them. Of several of one name the first counts.
private struct ErrorDocument {
  private let text: ArraySlice<UInt8>

  /// nil when it is no such document, as an HTML page or an empty body.
  init?(_ body: ArraySlice<UInt8>) {
    guard let start = body.firstRange(of: Array("<Error".utf8)) else { return nil }
    text = body[start.upperBound...]
  }

  /// The element's text; nil if there is none, or it does not end.
  subscript(name: String) -> String? {
    guard let start = text.firstRange(of: Array("<\(name)>".utf8)),
      let end = text[start.upperBound...].firstIndex(of: UInt8(ascii: "<")),
      text[end...].starts(with: Array("</\(name)>".utf8))
    else { return nil }
    return Self.unescaped(String(decoding: text[start.upperBound..<end], as: UTF8.self))
  }

  private static let entities = [
    ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&"),
  ]

  private static func unescaped(_ text: String) -> String {
    guard text.contains("&") else { return text }
    return entities.reduce(text) { $0.replacing($1.0, with: $1.1) }
  }
}
