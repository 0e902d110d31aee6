import ControlProtocol
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Configuration

@Suite("Upstreams in the configuration")
struct UpstreamConfigurationTests {
  private func upstreams(_ text: String, _ environment: Environment = Environment()) throws -> [UpstreamSettings] {
    try #require(try parse(text, environment).upstreams).value
  }

  private func message(_ text: String) -> String? {
    do {
      _ = try parse(text)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("are in the order in which they stand, with every key")
  func everyKey() throws {
    let text = """
      [[upstream]]
      url = "https://cache.example.com:8443/path/"
      read_only = true
      timeout = "1500ms"
      ca_file = "certs/../ca.pem"
      token = "${TOKEN}"
      layout = "bazel"

      [cache]
      max_size = "1GB"

      [[upstream]]
      url = "s3://bucket/some/prefix"
      region = "eu-central-1"
      endpoint = "http://localhost:9000"
      profile = "builds"
      timeout = 5
      """
    let expected = [
      UpstreamSettings(
        url: "https://cache.example.com:8443/path/", isReadOnly: true, timeout: 1500,
        authorityFile: "/project/ca.pem", token: Secret("opensesame"), layout: .bazel),
      UpstreamSettings(
        url: "s3://bucket/some/prefix", timeout: 5000, region: "eu-central-1", endpoint: "http://localhost:9000",
        profile: "builds"),
    ]
    #expect(try upstreams(text, Environment(["TOKEN": "opensesame"])) == expected)
    #expect(try parse(text, Environment(["TOKEN": "x"])).upstreams?.place?.description == "/project/.fabrik.toml:1:1")
  }

  @Test("need no more than a URL")
  func defaults() throws {
    let settings = try #require(try upstreams("[[upstream]]\nurl = \"http://h\"").first)
    #expect(settings == UpstreamSettings(url: "http://h", isReadOnly: false, timeout: 2000, layout: .plain))
    #expect(settings.kind == .http && settings.layer == .regional)
    #expect(UpstreamSettings(url: "s3://b").layer == .s3)
  }

  @Test("do without what a variable leaves empty", arguments: ["token", "ca_file", "region", "endpoint", "profile"])
  func emptyValue(key: String) throws {
    let list = try upstreams("[[upstream]]\nurl = \"http://h\"\n\(key) = \"${NONE:-}\"")
    #expect(list == [UpstreamSettings(url: "http://h")])
  }

  @Test("may be written as a list of tables in line")
  func inline() throws {
    let list = try upstreams("upstream = [{ url = \"http://a\" }, { url = \"s3://b\", read_only = true }]")
    #expect(list.map(\.url) == ["http://a", "s3://b"] && list.map(\.isReadOnly) == [false, true])
  }

  private static let sound = "[[upstream]]\nurl = \"http://a\"\n"

  @Test(
    "are refused with the place of the right one",
    arguments: [
      ("url = 3", ":5:1: upstream.url takes a URL, such as \"https://cache.example.com\" or \"s3://bucket/prefix\""),
      ("url = \"ftp://x\"", ":5:1: upstream.url takes a URL, such as"),
      ("url = \"http://\"", ":5:1: upstream.url takes a URL, such as"),
      ("url = \"https://me:secret@h\"", ":5:1: upstream.url holds a password; put that into ~/.netrc, or set a token"),
      ("url = \"s3://b@c\"", ":5:1: upstream.url holds an '@'; a bucket has none"),
      ("url = \"http://h/?a=b\"", ":5:1: upstream.url has a '?' or '#', which it may not"),
      ("url = \"http://h/#a\"", ":5:1: upstream.url has a '?' or '#', which it may not"),
      ("url = \"http://h/a b\"", ":5:1: upstream.url has a character that a URL may not have; write it as %20, say"),
      ("url = \"http://h/ä\"", ":5:1: upstream.url has a character that a URL may not have; write it as %20, say"),
      ("url = \"http://h/\\n\"", ":5:1: upstream.url takes a URL, such as"),
      ("url = \"http://h\"\nread_only = \"perhaps\"", ":6:1: upstream.read_only takes true or false, not 'perhaps'"),
      ("url = \"http://h\"\nread_only = 1", ":6:1: upstream.read_only takes true or false"),
      ("url = \"http://h\"\ntimeout = \"10ms\"", ":6:1: upstream.timeout takes a duration from 50ms to 60s"),
      ("url = \"http://h\"\ntimeout = \"61s\"", ":6:1: upstream.timeout takes a duration from 50ms to 60s"),
      ("url = \"http://h\"\n  timeout = true", ":6:3: upstream.timeout takes a duration from 50ms to 60s"),
      ("url = \"http://h\"\nca_file = \"~/ca\"", ":6:1: upstream.ca_file does not know '~'; write ${HOME}/ca"),
      ("url = \"http://h\"\nlayout = \"\"", ":6:1: upstream.layout takes \"plain\" or \"bazel\", not ''"),
      ("url = \"http://h\"\ntoken = \"a\\nb\"", ":6:1: upstream.token takes a token, such as \"${CACHE_TOKEN}\""),
      ("url = \"http://h\"\ntoken = \"${NO}\"", ":6:1: environment variable NO is not set"),
      ("url = \"http://h\"\nlayout = \"flat\"", ":6:1: upstream.layout takes \"plain\" or \"bazel\", not 'flat'"),
      ("url = \"http://h\"\nregion = \"x\"", ":6:1: upstream.region is for upstreams by s3"),
      ("url = \"http://h\"\nendpoint = \"http://x\"", ":6:1: upstream.endpoint is for upstreams by s3"),
      ("url = \"http://h\"\nprofile = \"x\"", ":6:1: upstream.profile is for upstreams by s3"),
      ("url = \"s3://b\"\ntoken = \"x\"", ":6:1: upstream.token is for upstreams by http"),
      ("url = \"s3://b\"\nlayout = \"bazel\"", ":6:1: upstream.layout is for upstreams by http"),
      ("url = \"s3://b\"\nendpoint = \"h:9000\"", ":6:1: upstream.endpoint takes a URL, such as"),
      ("url = \"http://h\"\nuser = \"x\"", ":6:1: unknown key 'user' in [[upstream]]; known there: url, read_only,"),
      ("read_only = true", ":4:1: upstream.url is missing"),
    ])
  func mistakes(second: String, said: String) {
    let text = Self.sound + "\n[[upstream]]\n" + second
    let message = message(text) ?? "nothing"
    #expect(message.hasPrefix("/project/.fabrik.toml" + said), "said: \(message)")
    #expect(!message.contains("secret@"))
  }

  @Test("do not show a token, whatever is wrong with it")
  func hiddenToken() {
    let message = message("[[upstream]]\nurl = \"http://h\"\ntoken = \"open\\u0007sesame\"")
    #expect(message?.contains("sesame") == false)
  }

  @Test(
    "are a list of tables",
    arguments: ["[upstream]\nurl = \"http://h\"", "upstream = \"http://h\"", "upstream = [\"http://h\"]"])
  func notAList(text: String) {
    #expect(
      message(text)
        == "/project/.fabrik.toml:1:1: write [[upstream]], with two brackets, and the keys of one upstream below")
  }

  @Test("are at most four")
  func tooMany() throws {
    #expect(try upstreams(String(repeating: Self.sound, count: 4)).count == 4)
    #expect(
      message(String(repeating: Self.sound, count: 5)) == "/project/.fabrik.toml:9:1: at most 4 upstreams are asked")
  }

  @Test("of a variable take the place of those of the files")
  func variable() throws {
    try withTemporaryDirectory { directory in
      try Files.write(Self.sound, to: directory.appending(".fabrik.toml"))
      func load(_ text: String) throws -> ConfigurationLoader.Result {
        try ConfigurationLoader(
          environment: Environment(["HOME": directory.string, "FABRIK_UPSTREAM": text]), workingDirectory: directory,
          knownTools: []
        ).load(named: nil, flags: .init())
      }
      #expect(try load("").configuration.upstreams.value.map(\.url) == ["http://a"])
      let configuration = try load("http://b,s3://c/d").configuration
      #expect(configuration.upstreams.value == [UpstreamSettings(url: "http://b"), UpstreamSettings(url: "s3://c/d")])
      #expect(configuration.rows.last?.origin.contains("FABRIK_UPSTREAM") == true)
      for wrong in ["b", "http://me@b", "http://a,http://b,http://c,http://d,http://e"] {
        #expect(throws: ConfigurationError.self) { try load(wrong).problems.first.map { throw $0 } }
      }
    }
  }

  @Test("are shown with what is set, and without their tokens")
  func rows() throws {
    let layer = try parse(
      Self.sound + "token = \"opensesame\"\n[[upstream]]\nurl = \"s3://b\"\nread_only = true\nregion = \"r\"")
    let configuration = FabrikConfiguration(
      layers: [layer], paths: StandardPaths(environment: Environment(["HOME": "/h"])), environment: Environment())
    let rows = configuration.rows.filter { $0.key.hasPrefix("upstream.") }
    #expect(
      rows.map { "\($0.key) = \($0.written)" } == [
        "upstream.1.url = \"http://a\"", "upstream.1.read_only = false", "upstream.1.timeout = \"2s\"",
        "upstream.1.token = \"<redacted>\"", "upstream.1.layout = \"plain\"", "upstream.2.url = \"s3://b\"",
        "upstream.2.read_only = true", "upstream.2.timeout = \"2s\"", "upstream.2.region = \"r\"",
      ])
    #expect(rows.allSatisfy { $0.origin == "/project/.fabrik.toml:1:1" })
  }

  @Test("are not there by default, nor is a word said of them")
  func none() {
    let configuration = FabrikConfiguration(
      layers: [], paths: StandardPaths(environment: Environment(["HOME": "/h"])), environment: Environment())
    #expect(configuration.upstreams.value.isEmpty && !configuration.rows.contains { $0.key.hasPrefix("upstream.") })
  }
}
