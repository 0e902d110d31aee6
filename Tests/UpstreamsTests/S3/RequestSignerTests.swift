import ControlProtocol
import Testing

@testable import Upstreams

/// The examples of the "Amazon S3 API Reference", Signature Calculations for the Authorization Header.
@Suite("A signature for S3")
struct RequestSignerTests {
  private static let credentials = S3Credentials(
    keyIdentifier: "AKIAIOSFODNN7EXAMPLE", secretKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
  private static let time = UTCTime(seconds: 1_369_353_600)
  private static let noBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  private func authorization(
    _ method: String = "GET", _ path: String = "/", query: [(String, String)] = [],
    headers: [(String, String)] = [], payload: String = noBody
  ) throws -> String {
    let request = RequestSigner.Unsigned(
      method: method, path: RequestSigner.canonicalPath(path),
      query: RequestSigner.canonicalQuery(query.map { (name: $0.0, value: $0.1) }),
      headers: ([
        ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", payload),
        ("x-amz-date", Self.time.basicText),
      ] + headers).map { UpstreamRequest.Header(name: $0.0, value: $0.1) }, payloadHash: payload)
    return try #require(
      RequestSigner(region: "us-east-1").authorization(request, credentials: Self.credentials, time: Self.time))
  }

  private func expected(_ names: String, _ signature: String) -> String {
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=\(names), "
      + "Signature=\(signature)"
  }

  @Test("is the published one for a part of an object")
  func part() throws {
    #expect(
      try authorization("GET", "/test.txt", headers: [("Range", "bytes=0-9")])
        == expected(
          "host;range;x-amz-content-sha256;x-amz-date",
          "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))
  }

  @Test("is the published one for an object that is stored")
  func store() throws {
    #expect(
      try authorization(
        "PUT", "/test$file.text",
        headers: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
        payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
        == expected(
          "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
  }

  @Test("is the published one for a query without a value, and for a listing")
  func queries() throws {
    let names = "host;x-amz-content-sha256;x-amz-date"
    #expect(
      try authorization(query: [("lifecycle", "")])
        == expected(names, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
    #expect(
      try authorization(query: [("prefix", "J"), ("max-keys", "2")])
        == expected(names, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
  }

  @Test("covers the name as it is, with each byte encoded once that could be taken for another")
  func paths() {
    #expect(RequestSigner.canonicalPath("/a//b/./../c~d_e-f.g") == "/a//b/./../c~d_e-f.g")
    #expect(RequestSigner.canonicalPath("/ü +*=&%?#;:@\u{1}") == "/%C3%BC%20%2B%2A%3D%26%25%3F%23%3B%3A%40%01")
    #expect(RequestSigner.canonicalPath("/%20") == "/%2520")
  }

  @Test("covers a query sorted by names, also where one begins with another")
  func querySorting() {
    let items = [("a-b", "1"), ("a", "3"), ("a", "2"), ("A", "4"), ("ä", "")].map { (name: $0.0, value: $0.1) }
    #expect(RequestSigner.canonicalQuery(items) == "%C3%A4=&A=4&a=2&a=3&a-b=1")
  }

  @Test("covers headers by their names, also where one begins with another")
  func headerSorting() {
    let request = RequestSigner.Unsigned(
      method: "GET", path: "/",
      headers: [("x-amz-meta-a-b", "1"), ("X-Amz-Meta-A", " 2  3 "), ("Host", "h")].map {
        UpstreamRequest.Header(name: $0.0, value: $0.1)
      })
    #expect(
      RequestSigner(region: "us-east-1").canonicalRequest(request)
        == "GET\n/\n\nhost:h\nx-amz-meta-a:2 3\nx-amz-meta-a-b:1\n\nhost;x-amz-meta-a;x-amz-meta-a-b\nUNSIGNED-PAYLOAD")
  }
}

@Suite("The key of a day")
struct SigningKeyTests {
  private let cache = SigningKeyCache()

  private func key(
    day: String = "20130524", region: String = "us-east-1", service: String = "s3", secret: String = "one"
  ) throws -> SigningKey {
    try #require(cache.key(day: day, region: region, service: service, secret: Secret(secret)))
  }

  @Test("is derived once")
  func once() throws {
    let first = try key()
    #expect(try key() === first)
  }

  @Test("is another for another day, region, service or secret")
  func others() throws {
    let keys = [
      try key(), try key(day: "20130525"), try key(region: "eu-west-1"), try key(service: "sts"),
      try key(secret: "two"),
    ]
    #expect(Set(keys.map(\.bytes)).count == keys.count)
    #expect(try key().bytes == keys[0].bytes)
  }

  @Test("shows itself to nobody")
  func redacted() throws {
    let key = try key()
    var dumped = ""
    dump(key, to: &dumped)
    #expect("\(key)" == Secret.redaction)
    #expect(!dumped.contains("\(key.bytes[0])"))
  }
}
