import ControlProtocol
import Testing

@testable import Upstreams

@Suite("A store's refusal")
struct S3FailureTests {
  private let location: S3Location

  init() throws {
    location = try S3Location(
      settings: UpstreamSettings(url: "s3://bucket", region: "us-east-1", endpoint: "http://h:9"))
  }

  private static func body(_ code: String, _ more: String = "") -> String {
    """
    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>\(code)</Code><Message>Words &amp; more.</Message>\(more)<RequestId>1</RequestId></Error>
    """
  }

  private func failure(
    _ status: Int, _ body: String = "", region: String? = nil, method: UpstreamRequest.Method = .get
  ) -> S3Failure {
    S3Failure(method: method, status: status, body: Array(body.utf8), bucketRegion: region)
  }

  @Test(
    "is known by its code",
    arguments: [
      (404, "NoSuchKey", .noSuchKey), (404, "NoSuchBucket", .noSuchBucket), (403, "AccessDenied", .accessDenied),
      // rclone says so of a clock that is slow.
      (400, "AccessDenied", .accessDenied), (403, "AllAccessDisabled", .accessDenied),
      (403, "InvalidAccessKeyId", .wrongCredentials), (403, "SignatureDoesNotMatch", .wrongCredentials),
      (403, "InvalidTokenId", .wrongCredentials), (400, "InvalidToken", .wrongCredentials),
      (400, "ExpiredToken", .expiredCredentials), (400, "TokenRefreshRequired", .expiredCredentials),
      (403, "RequestTimeTooSkewed", .skewedClock), (503, "SlowDown", .slowDown), (503, "SlowDownWrite", .slowDown),
      (503, "ServiceUnavailable", .slowDown), (503, "Unheard", .slowDown),
      (400, "AuthorizationHeaderMalformed", .wrongRegion(nil)), (301, "PermanentRedirect", .wrongRegion(nil)),
      (500, "InternalError", .other), (403, "InvalidObjectState", .other), (404, "NoSuchUpload", .other),
      (412, "PreconditionFailed", .other),
    ] as [(Int, String, S3Failure.Kind)])
  func codes(_ status: Int, _ code: String, _ kind: S3Failure.Kind) {
    let failure = failure(status, Self.body(code))
    #expect(failure.kind == kind)
    #expect(failure.code == code)
    #expect(failure.message == "Words & more.")
  }

  @Test(
    "is known by its status where there is no code",
    arguments: [
      (404, .noSuchKey), (403, .accessDenied), (401, .accessDenied), (503, .slowDown), (429, .slowDown), (500, .other),
      (400, .other), (301, .other), (200, .other),
    ] as [(Int, S3Failure.Kind)],
    ["", "<html><head><title>No</title></head><body><Code>NoSuchBucket</Code></body></html>", "{}"])
  func statuses(_ expected: (status: Int, kind: S3Failure.Kind), _ body: String) {
    #expect(failure(expected.status, body).kind == expected.kind)
    #expect(failure(expected.status, body).code == nil)
  }

  @Test("of what is to be written is no miss")
  func missingOnWrite() {
    #expect(failure(404, method: .put).kind == .other)
    #expect(failure(404, method: .delete).kind == .noSuchKey)
  }

  @Test("tells the right region in its body or in a header, unless it is none")
  func regions() {
    let told = Self.body("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")
    #expect(failure(400, told).kind == .wrongRegion("eu-west-1"))
    #expect(failure(400, told, region: "us-west-2").kind == .wrongRegion("eu-west-1"))
    #expect(failure(301, Self.body("PermanentRedirect"), region: "us-west-2").kind == .wrongRegion("us-west-2"))
    #expect(failure(301, region: "us-west-2").kind == .wrongRegion("us-west-2"))
    #expect(failure(307, region: "us-west-2").kind == .wrongRegion("us-west-2"))
    #expect(failure(400, region: "us-west-2").kind == .wrongRegion("us-west-2"))
    // Amazon tells it with every refusal.
    #expect(failure(403, Self.body("AccessDenied"), region: "us-west-2").kind == .accessDenied)
    #expect(failure(400, Self.body("InvalidRequest"), region: "us-west-2").kind == .other)
    let evil = Self.body("PermanentRedirect", "<Region>x\u{1b}[31m</Region>")
    #expect(failure(301, evil).kind == .wrongRegion(nil))
    #expect(failure(301, evil, region: "a b").kind == .wrongRegion(nil))
  }

  @Test("is read as far as it can be")
  func bodies() {
    #expect(failure(403, "<Error xmlns=\"x\">\n <Code>AccessDenied</Code>").code == "AccessDenied")
    #expect(failure(403, "<Error><Code>AccessDen").code == nil)
    #expect(failure(403, "<Error><Code>AccessDenied").code == nil)
    #expect(failure(403, "<Error><Code></Code>").code == nil)
    #expect(failure(403, "<Error><Code><b>x</b></Code>").code == nil)
    #expect(failure(403, "<Error><Code>\(String(repeating: "x", count: 65))</Code>").code == nil)
    #expect(failure(403, "<Error><Message></Message><Code>One</Code><Code>Two</Code>").code == "One")
    #expect(failure(403, "<Code>Before</Code><Error>").code == nil)
    #expect(failure(403, "<Error>" + String(repeating: " ", count: 8192) + "<Code>Late</Code>").code == nil)
    #expect(failure(403, Self.body("A B")).code == nil)
    #expect(failure(400, "<Error><Message>&lt;&amp;lt;&#39;&quot;&unknown;</Message>").message == "<&lt;'\"&unknown;")
  }

  @Test("does not reach a terminal but as plain text of some length")
  func hostile() {
    let text = "a\u{1b}]0;x\u{7}\r\nb\u{9b}31m\u{202e}c\u{0}" + String(repeating: "z", count: 5000)
    var bytes = Array("<Error><Code>Odd</Code><Message>\(text)".utf8)
    bytes += [0xff, 0xfe] + Array("</Message></Error>".utf8)
    for code in ["Odd", "O\u{1b}[1m"] {
      let failure = failure(400, String(decoding: bytes, as: UTF8.self).replacing("Odd", with: code))
      let sentence = failure.sentence(location, isSigned: true)
      #expect(sentence.hasPrefix("the store answered with 400"))
      #expect(sentence.contains("a]0;x b31mczz"))
      #expect(sentence.count < 300)
      #expect(sentence.unicodeScalars.allSatisfy { (0x20...0x7e).contains($0.value) || $0 == "…" })
    }
  }

  @Test(
    "says what to do",
    arguments: [
      (404, body("NoSuchKey"), true, "the store does not have the object"),
      (404, body("NoSuchBucket"), true, "there is no bucket 'bucket' at h:9: make it, or correct url or endpoint"),
      (
        403, body("InvalidAccessKeyId"), true,
        "the store refused the credentials (InvalidAccessKeyId): check AWS_ACCESS_KEY_ID or the profile"
      ),
      (400, body("ExpiredToken"), true, "the credentials have expired (ExpiredToken): fetch new ones"),
      (
        403, "", true,
        "the store denied access (status 403): give these credentials s3:GetObject, s3:PutObject and, so that a "
          + "missing object is not taken for a forbidden one, s3:ListBucket on 'bucket', or use others"
      ),
      (
        403, body("AccessDenied"), false,
        "the store refused a request without credentials (AccessDenied): set AWS_ACCESS_KEY_ID and "
          + "AWS_SECRET_ACCESS_KEY, or profile"
      ),
      (
        400, body("UnsupportedAlgorithm"), false,
        "the store refused a request without credentials (UnsupportedAlgorithm): set AWS_ACCESS_KEY_ID and "
          + "AWS_SECRET_ACCESS_KEY, or profile"
      ),
      (
        400, body("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"), true,
        "the bucket is in eu-west-1: set region = \"eu-west-1\""
      ),
      (
        301, body("PermanentRedirect"), true,
        "the bucket is not in us-east-1 (PermanentRedirect): set region to the bucket's"
      ),
      (
        403, body("RequestTimeTooSkewed"), true,
        "the store refused the time of this machine (RequestTimeTooSkewed): set its clock"
      ),
      (503, "", true, "the store asks for fewer requests (status 503): it is used again later"),
      (500, body("InternalError"), true, "the store answered with 500 InternalError: Words & more."),
      (500, "", false, "the store answered with 500"),
    ])
  func sentences(_ status: Int, _ body: String, _ isSigned: Bool, _ sentence: String) {
    #expect(failure(status, body).sentence(location, isSigned: isSigned) == sentence)
  }
}
