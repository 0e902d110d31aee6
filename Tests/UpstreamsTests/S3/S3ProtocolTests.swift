import ControlProtocol
import SystemPackage
import TestSupport
import Testing

@testable import Upstreams

@Suite("Requests to S3")
struct S3ProtocolTests {
  private static let now: Int64 = 1_369_353_600
  private static let keys = ["AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "secret"]

  private func make(
    _ environment: [String: String] = keys, endpoint: String = "http://h:9000", profile: String? = nil
  ) throws -> S3Protocol {
    try S3Protocol(
      settings: UpstreamSettings(url: "s3://bucket/p", endpoint: endpoint, profile: profile), environment: environment)
  }

  private func value(_ name: String, _ request: UpstreamRequest) -> String? {
    request.headers.first { $0.name == name }?.value
  }

  private func time(of request: UpstreamRequest) -> String? { value("x-amz-date", request) }

  @Test("are signed with their host, time and session token, and with nothing that a proxy may change")
  func signed() throws {
    let store = try make(Self.keys.merging(["AWS_SESSION_TOKEN": "token"]) { $1 })
    let request = store.request(.get, name: "a b", now: Self.now)
    #expect(request.method == .get)
    #expect(request.url == "http://h:9000/bucket/p/a%20b")
    #expect(
      request.headers.map(\.name) == ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "Authorization"])
    #expect(value("x-amz-content-sha256", request) == "UNSIGNED-PAYLOAD")
    #expect(time(of: request) == "20130524T000000Z")
    #expect(value("x-amz-security-token", request) == "token")
    #expect(store.isSigned)

    let expected = RequestSigner(region: "us-east-1").authorization(
      RequestSigner.Unsigned(
        method: "GET", path: "/bucket/p/a%20b",
        headers: [
          .init(name: "host", value: "h:9000"), .init(name: "x-amz-content-sha256", value: "UNSIGNED-PAYLOAD"),
          .init(name: "x-amz-date", value: "20130524T000000Z"), .init(name: "x-amz-security-token", value: "token"),
        ]), credentials: S3Credentials(keyIdentifier: "KEY", secretKey: Secret("secret")),
      time: UTCTime(seconds: Self.now))
    #expect(value("Authorization", request) == expected)
  }

  @Test("that store an object say that it is bytes")
  func put() throws {
    let store = try make()
    let request = store.request(.put, name: "n", now: Self.now)
    #expect(value("Content-Type", request) == "application/octet-stream")
    #expect(value("Content-Type", store.request(.delete, name: "n", now: Self.now)) == nil)
    #expect(value("Authorization", request)?.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date,") == true)
  }

  @Test("are not signed where there are no credentials")
  func anonymous() throws {
    let store = try make(["HOME": "/nowhere"])
    #expect(!store.isSigned)
    #expect(store.request(.get, name: "n", now: Self.now).headers.isEmpty)
    #expect(store.request(.put, name: "n", now: Self.now).headers.map(\.name) == ["Content-Type"])
  }

  @Test("cannot be made with a profile that there is not, or half a pair of keys")
  func problems() {
    #expect(throws: S3Problem.self) { try make(["HOME": "/nowhere"], profile: "none") }
    #expect(throws: S3Problem.self) { try make(["AWS_ACCESS_KEY_ID": "KEY"]) }
    #expect(throws: S3Problem.self) { try make(endpoint: "h") }
    #expect(throws: Never.self) { try make(profile: "") }
  }

  @Test("have the store's time once it has refused this machine's")
  func clock() throws {
    let store = try make()
    let refused = store.request(.get, name: "n", now: Self.now)
    #expect(store.learnClock(date: "Fri, 24 May 2013 01:00:10 GMT", now: Self.now + 10, refused: refused))
    #expect(store.clockOffset == 3600)
    let second = store.request(.get, name: "n", now: Self.now + 60)
    #expect(time(of: second) == "20130524T010100Z")
    // Another request that was under way meanwhile may be made again, too; the one with the right time not.
    #expect(store.learnClock(date: "Fri, 24 May 2013 01:00:11 GMT", now: Self.now + 11, refused: refused))
    #expect(!store.learnClock(date: "Fri, 24 May 2013 01:01:20 GMT", now: Self.now + 80, refused: second))
    // The clock has been set right.
    #expect(store.learnClock(date: "Fri, 24 May 2013 01:02:00 GMT", now: Self.now + 3720, refused: second))
    #expect(store.clockOffset == 0)
  }

  @Test("keep this machine's time if the store's is none, or days away")
  func clockLimit() throws {
    let store = try make()
    let refused = store.request(.get, name: "n", now: Self.now)
    for date in ["", "yesterday", "Sun, 26 May 2013 00:00:00 GMT", "Wed, 22 May 2013 00:00:00 GMT"] {
      #expect(!store.learnClock(date: date, now: Self.now, refused: refused))
    }
    #expect(store.request(.get, name: "n", now: Self.now) == refused)
  }

  @Test("have new credentials as soon as the store refuses the old ones")
  func rotation() throws {
    try withTemporaryDirectory { home in
      func write(_ key: String, _ secret: String, _ token: String) throws {
        try Files.write(
          "[work]\naws_access_key_id=\(key)\naws_secret_access_key=\(secret)\naws_session_token=\(token)\n",
          to: home.pushing(".aws/credentials"))
      }
      try write("ONE", "s1", "t1")
      let store = try make(["HOME": home.string], profile: "work")
      let refused = store.request(.get, name: "n", now: Self.now)
      #expect(store.reloadCredentials(refused: refused) == .unchanged)

      try write("TWO", "s2", "t2")
      #expect(store.request(.get, name: "n", now: Self.now) == refused)
      #expect(store.reloadCredentials(refused: refused) == .changed)
      let renewed = store.request(.get, name: "n", now: Self.now)
      #expect(value("Authorization", renewed)?.contains("Credential=TWO/") == true)
      #expect(value("x-amz-security-token", renewed) == "t2")
      // Another request that was under way meanwhile may be made again, too; the new one not.
      #expect(store.reloadCredentials(refused: refused) == .changed)
      #expect(store.reloadCredentials(refused: renewed) == .unchanged)
      try write("TWO", "s3", "t2")
      #expect(store.reloadCredentials(refused: renewed) == .changed)
    }
  }

  @Test("keep their credentials while there are none to be found")
  func rotationUnderWay() throws {
    try withTemporaryDirectory { home in
      let file = home.pushing(".aws/credentials")
      try Files.write("[default]\naws_access_key_id=ONE\naws_secret_access_key=s\n", to: file)
      let store = try make(["HOME": home.string])
      let request = store.request(.get, name: "n", now: Self.now)
      try Files.write("", to: file)
      #expect(store.reloadCredentials(refused: request) == .unchanged)
      try Files.write("[default]\naws_access_key_id=TWO\n", to: file)
      guard case .problem = store.reloadCredentials(refused: request) else {
        Issue.record("half a pair of keys is no problem")
        return
      }
      #expect(store.request(.get, name: "n", now: Self.now) == request)
    }
  }

  @Test("have the region and endpoint of the profile")
  func profile() throws {
    try withTemporaryDirectory { home in
      try Files.write(
        "[profile work]\nregion = eu-west-1\nendpoint_url = http://minio:9000\n[default]\nregion = us-west-2",
        to: home.pushing(".aws/config"))
      try Files.write(
        "[work]\naws_access_key_id=K\naws_secret_access_key=s", to: home.pushing(".aws/credentials"))
      let store = try S3Protocol(
        settings: UpstreamSettings(url: "s3://bucket", profile: "work"), environment: ["HOME": home.string])
      #expect(store.location.region == "eu-west-1")
      let request = store.request(.get, name: "n", now: Self.now)
      #expect(request.url == "http://minio:9000/bucket/n")
      #expect(value("Authorization", request)?.contains("/20130524/eu-west-1/s3/aws4_request") == true)
    }
  }
}
