import ControlProtocol
import Cryptography
import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// AWS's own test suite for Signature Version 4, which `scripts/install-dependencies test` fetches.
private let suite = FilePath(#filePath).removingLastComponent().pushing("../../../.build/tools/aws4_testsuite")

@Suite("AWS's published test suite")
struct PublishedVectorTests {
  private static let time = UTCTime(seconds: 1_440_938_160)
  private static let signer = RequestSigner(region: "us-east-1", service: "service")

  @Test(
    "is signed as published: canonical request, text and header",
    .enabled(
      if: FileSystem.exists(suite) || getenv("CI") != nil,
      "AWS's test suite is not in .build/tools: scripts/install-dependencies test"))
  func suiteIsSigned() throws {
    let cases = Files.all(below: suite).filter { $0.extension == "req" }
    #expect(cases.count == 34)
    for file in cases { try check(file) }
  }

  private func check(_ file: FilePath) throws {
    let name = Comment(rawValue: try #require(file.stem))
    let canonicalRequest = try expectation(file, "creq")
    let (credentials, request) = try Self.read(Files.read(file), canonicalRequest: canonicalRequest)
    #expect(Self.signer.canonicalRequest(request) == canonicalRequest, name)
    #expect(
      try Self.signer.stringToSign(canonicalRequest, time: Self.time) == expectation(file, "sts"), name)
    #expect(
      try Self.signer.authorization(request, credentials: credentials, time: Self.time) == expectation(file, "authz"),
      name)
  }

  private func expectation(_ file: FilePath, _ kind: String) throws -> String {
    var file = file
    file.extension = kind
    return try SmallFile.contents(file).replacing("\r", with: "")
  }

  /// A request as HTTP/1.1 writes it, but with blanks and UTF-8 in its target and without a line's end at its own.
  private static func read(
    _ bytes: [UInt8], canonicalRequest: String
  ) throws -> (credentials: S3Credentials, request: RequestSigner.Unsigned) {
    let text = String(decoding: bytes, as: UTF8.self)
    let parts = text.split(separator: "\n\n", maxSplits: 1)
    let lines = parts[0].split(separator: "\n")
    let words = lines[0].split(separator: " ")
    let target = words[1..<words.count - 1].joined(separator: " ")
    var headers: [UpstreamRequest.Header] = []
    for line in lines.dropFirst() {
      if line.hasPrefix(" ") {
        headers[headers.count - 1].value += line
      } else {
        let colon = try #require(line.firstIndex(of: ":"))
        headers.append(.init(name: String(line[..<colon]), value: String(line[line.index(after: colon)...])))
      }
    }
    // In one case the token is in the request's own headers; in another it is to be added.
    let tokenLine = canonicalRequest.split(separator: "\n").first { $0.hasPrefix("x-amz-security-token:") }
    let token = tokenLine.map { String($0.drop { $0 != ":" }.dropFirst()) }
    if let token, !headers.contains(where: { $0.name == "X-Amz-Security-Token" }) {
      headers.append(.init(name: "X-Amz-Security-Token", value: token))
    }
    let body = parts.count > 1 ? Array(parts[1].utf8) : []
    let query = target.drop { $0 != "?" }.dropFirst().split(separator: "&").map { item in
      (
        name: PercentEncoding.decode(String(item.prefix { $0 != "=" })),
        value: PercentEncoding.decode(String(item.drop { $0 != "=" }.dropFirst()))
      )
    }
    return (
      S3Credentials(
        keyIdentifier: "AKIDEXAMPLE", secretKey: Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        sessionToken: token.map { Secret($0) }),
      RequestSigner.Unsigned(
        method: String(words[0]),
        path: RequestSigner.canonicalPath(Self.normalized(String(target.prefix { $0 != "?" }))),
        query: RequestSigner.canonicalQuery(query), headers: headers,
        payloadHash: Hex.encode(try #require(OpenSSL.sha256(body))))
    )
  }

  /// As every service but S3 has it: empty segments, `.` and `..` are resolved.
  private static func normalized(_ path: String) -> String {
    var segments: [Substring] = []
    for segment in path.split(separator: "/") where segment != "." {
      if segment != ".." { segments.append(segment) } else if !segments.isEmpty { segments.removeLast() }
    }
    let isDirectory = path.hasSuffix("/") && !segments.isEmpty
    return "/\(segments.joined(separator: "/"))\(isDirectory ? "/" : "")"
  }
}

extension RequestSigner {
  /// Each name and value encoded, sorted by name and then by value: sorted as whole texts, `a=` would come after `a-b=`.
  static func canonicalQuery(_ items: [(name: String, value: String)]) -> String {
    items
      .map { item in
        (
          PercentEncoding.encode(item.name, keepingSlashes: false),
          PercentEncoding.encode(item.value, keepingSlashes: false)
        )
      }
      .sorted { $0 < $1 }
      .map { "\($0.0)=\($0.1)" }
      .joined(separator: "&")
  }
}
