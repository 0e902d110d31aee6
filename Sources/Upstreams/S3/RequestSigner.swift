import ControlProtocol
import Cryptography
import SystemSupport

/// AWS Signature Version 4 in the `Authorization` header, as the "Amazon S3 API Reference" (Authenticating Requests)
/// describes it. It is done here and not by libcurl, whose signatures are wrong for many names, and which knows nothing
/// of a clock that is off.
struct RequestSigner: Sendable {
  /// What a signature is computed from; path and query are in their canonical form. (A query, the digest of a body, and
  /// other services than S3 are not used here, but in AWS's published vectors.)
  struct Unsigned: Sendable {
    var method: String
    var path: String
    var query = ""
    /// Those that are signed, `Host` among them. A proxy may change the others.
    var headers: [UpstreamRequest.Header]
    /// The body's SHA-256 in hexadecimal, or ``unsignedPayload``.
    var payloadHash = RequestSigner.unsignedPayload
  }

  /// In place of the body's digest: what the store keeps is checked by its own digest when it is read.
  static let unsignedPayload = "UNSIGNED-PAYLOAD"

  private static let algorithm = "AWS4-HMAC-SHA256"

  var region: String
  var service = "s3"
  private let keys = SigningKeyCache()

  init(region: String, service: String = "s3") {
    self.region = region
    self.service = service
  }

  /// The header's value; nil only if OpenSSL fails.
  func authorization(_ request: Unsigned, credentials: S3Credentials, time: UTCTime) -> String? {
    guard let text = stringToSign(canonicalRequest(request), time: time),
      let key = keys.key(day: time.dayText, region: region, service: service, secret: credentials.secretKey),
      let signature = OpenSSL.authenticate(Array(text.utf8), key: key.bytes)
    else { return nil }
    return
      "\(Self.algorithm) Credential=\(credentials.keyIdentifier)/\(scope(time)), "
      + "SignedHeaders=\(signedNames(request.headers)), Signature=\(Hex.encode(signature))"
  }

  func canonicalRequest(_ request: Unsigned) -> String {
    let values = Dictionary(grouping: request.headers) { $0.name.lowercased() }
    let lines = values.keys.sorted().map { name in
      "\(name):\((values[name] ?? []).map { Self.trimmed($0.value) }.joined(separator: ","))\n"
    }
    return
      "\(request.method)\n\(request.path)\n\(request.query)\n\(lines.joined())\n"
      + "\(signedNames(request.headers))\n\(request.payloadHash)"
  }

  /// nil only if OpenSSL fails.
  func stringToSign(_ canonicalRequest: String, time: UTCTime) -> String? {
    guard let digest = OpenSSL.sha256(Array(canonicalRequest.utf8)) else { return nil }
    return "\(Self.algorithm)\n\(time.basicText)\n\(scope(time))\n\(Hex.encode(digest))"
  }

  /// As S3 has it: empty segments, `.` and `..` are part of the name.
  static func canonicalPath(_ path: String) -> String {
    PercentEncoding.encode(path, keepingSlashes: true)
  }

  private func scope(_ time: UTCTime) -> String { "\(time.dayText)/\(region)/\(service)/aws4_request" }

  private func signedNames(_ headers: [UpstreamRequest.Header]) -> String {
    Set(headers.map { $0.name.lowercased() }).sorted().joined(separator: ";")
  }

  /// Without blanks at its ends, and with one in place of several.
  private static func trimmed(_ value: String) -> String {
    value.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
  }
}
