import ControlProtocol
import Testing

@testable import Upstreams

@Suite("The place of an S3 store")
struct S3LocationTests {
  private func location(
    _ url: String = "s3://bucket", endpoint: String? = nil, region: String? = nil, environment: [String: String] = [:],
    profile: [String: String] = [:]
  ) throws -> S3Location {
    try S3Location(
      settings: UpstreamSettings(url: url, region: region, endpoint: endpoint), environment: environment,
      profile: profile)
  }

  private func problem(_ body: () throws -> S3Location) -> String? {
    do {
      _ = try body()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test(
    "is Amazon's host for the bucket if no endpoint is named",
    arguments: [
      ("s3://bucket", "us-east-1", "https://bucket.s3.us-east-1.amazonaws.com/n"),
      ("s3://bucket/", "eu-west-1", "https://bucket.s3.eu-west-1.amazonaws.com/n"),
      ("s3://b-1/p/q", "cn-north-1", "https://b-1.s3.cn-north-1.amazonaws.com.cn/p/q/n"),
    ])
  func amazon(_ url: String, _ region: String, _ expected: String) throws {
    let location = try location(url, region: region)
    #expect(location.url(for: "n") == expected)
    #expect(expected.hasPrefix("https://\(location.host)/"))
  }

  @Test(
    "is in the path for a bucket that cannot be a host",
    arguments: ["a.b", "Bucket", "a_b", "ab", "-ab", "ab-", String(repeating: "a", count: 64)])
  func pathStyle(_ bucket: String) throws {
    #expect(try location("s3://\(bucket)").url(for: "n") == "https://s3.us-east-1.amazonaws.com/\(bucket)/n")
  }

  @Test(
    "is in the path of every other server",
    arguments: [
      ("http://localhost:9000", "localhost:9000", "http://localhost:9000/bucket/p/n"),
      ("https://s3.example.org/", "s3.example.org", "https://s3.example.org/bucket/p/n"),
      ("https://example.org:443/gate/way//", "example.org", "https://example.org/gate/way/bucket/p/n"),
      ("http://example.org:443", "example.org:443", "http://example.org:443/bucket/p/n"),
      ("http://example.org:80", "example.org", "http://example.org/bucket/p/n"),
      ("HTTP://Example.ORG:0080", "example.org", "http://example.org/bucket/p/n"),
      ("http://[::1]:9000", "[::1]:9000", "http://[::1]:9000/bucket/p/n"),
      ("https://[FE80::1]", "[fe80::1]", "https://[fe80::1]/bucket/p/n"),
      ("https://h/a%20b%2b:c", "h", "https://h/a%20b%2B%3Ac/bucket/p/n"),
      (
        "https://vpce-1.s3.eu-west-1.vpce.amazonaws.com", nil,
        "https://vpce-1.s3.eu-west-1.vpce.amazonaws.com/bucket/p/n"
      ),
      ("https://s3.evilamazonaws.com", nil, "https://s3.evilamazonaws.com/bucket/p/n"),
    ] as [(String, String?, String)])
  func endpoint(_ endpoint: String, _ host: String?, _ expected: String) throws {
    let location = try location("s3://bucket/p", endpoint: endpoint)
    #expect(location.url(for: "n") == expected)
    if let host { #expect(location.host == host) }
  }

  @Test("is the bucket's host also where Amazon's server is named")
  func amazonEndpoint() throws {
    #expect(
      try location(endpoint: "https://s3.dualstack.eu-west-1.amazonaws.com").url(for: "n")
        == "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/n")
    #expect(
      try location(endpoint: "https://s3-accelerate.amazonaws.com").url(for: "n")
        == "https://bucket.s3-accelerate.amazonaws.com/n")
  }

  @Test(
    "is not taken from a wrong endpoint",
    arguments: [
      "localhost:9000", "ftp://h", "http://", "http://:80", "http://h:0", "http://h:65536", "http://h:", "http://h:+80",
      "http://user@h", "http://user:password@h", "http://h?x", "http://h/#x", "http://h/a b", "http://[::1",
      "http://[g]",
      "http://[::1]9", "http://[]", "http://ä.example", "http://h\u{1b}[31m", "http://a%20b", "http://h:80:80",
    ])
  func wrongEndpoint(_ endpoint: String) throws {
    let problem = try #require(problem { try location(endpoint: endpoint) })
    #expect(problem.hasSuffix("is no http[s]://HOST[:PORT][/PATH]"))
    #expect(problem.unicodeScalars.allSatisfy { $0.value >= 0x20 })
  }

  @Test("has a prefix as it is written, but for the slashes around it")
  func prefix() throws {
    let location = try location("s3://b//p//q %20?#/", endpoint: "http://h")
    #expect(location.prefix == "p//q %20?#")
    #expect(location.url(for: "n") == "http://h/b/p//q%20%2520%3F%23/n")
  }

  @Test("has names with every character in their canonical form")
  func names() throws {
    let location = try location("s3://b", endpoint: "http://h")
    #expect(
      location.url(for: "ns/a b+*=&%?#;:@~(ü)'\"\\<\u{7f}.-_")
        == "http://h/b/ns/a%20b%2B%2A%3D%26%25%3F%23%3B%3A%40~%28%C3%BC%29%27%22%5C%3C%7F.-_")
    #expect(location.url(for: "x") == location.origin + location.path(for: "x"))
  }

  @Test(
    "is not taken from a wrong URL",
    arguments: [
      "s3://", "s3:///p", "s3://.", "s3://..", "s3://a:b", "s3://a@b", "s3://a b", "s3://ü", "s3://a%2f", "http://b",
      "s3://b/../c", "s3://b/./c", "s3://b/..", "s3://a?b", "s3://\(String(repeating: "a", count: 256))",
    ])
  func wrongURL(_ url: String) {
    #expect(problem { try location(url) } != nil)
  }

  @Test("has the endpoint of the settings, else of the variables, else of the profile")
  func endpointPrecedence() throws {
    let profile = ["endpoint_url": "http://profile"]
    var environment = ["AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://s3"]
    func host(_ endpoint: String?) throws -> String {
      try location(endpoint: endpoint, environment: environment, profile: profile).host
    }
    #expect(try host("http://settings") == "settings")
    #expect(try host(nil) == "s3")
    #expect(try host("") == "s3")
    environment["AWS_ENDPOINT_URL_S3"] = ""
    #expect(try host(nil) == "all")
    environment["AWS_ENDPOINT_URL"] = nil
    #expect(try host(nil) == "profile")
  }

  @Test("has the region of the settings, else of the variables, else of the profile, else Amazon's first")
  func regionPrecedence() throws {
    var profile = ["region": "p"]
    var environment = ["AWS_REGION": "r", "AWS_DEFAULT_REGION": "d"]
    func region(_ region: String?) throws -> String {
      try location(region: region, environment: environment, profile: profile).region
    }
    #expect(try region("s") == "s")
    #expect(try region(nil) == "r")
    environment["AWS_REGION"] = ""
    #expect(try region("") == "d")
    environment["AWS_DEFAULT_REGION"] = nil
    #expect(try region(nil) == "p")
    profile = [:]
    #expect(try region(nil) == "us-east-1")
  }

  @Test(
    "has no region that could be part of another host", arguments: ["a.b", "a/b", "eu west", "x\ny", "evil.example/#"])
  func wrongRegion(_ region: String) {
    #expect(problem { try location(region: region) } != nil)
  }
}
