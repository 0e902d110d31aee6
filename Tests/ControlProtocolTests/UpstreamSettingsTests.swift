import ControlProtocol
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@Suite("What a server is told of upstreams")
struct UpstreamSettingsTests {
  private let settings = [
    UpstreamSettings(
      url: "https://h/ä b", isReadOnly: true, timeout: 777, authorityFile: "/a b/ca.pem", token: Secret("open=sesame%"),
      layout: .bazel),
    UpstreamSettings(url: "s3://b/p", region: "r", endpoint: "http://e:1", profile: "p"),
    UpstreamSettings(url: "http://last"),
  ]

  private func sent(_ configuration: ServerConfiguration) throws -> ServerConfiguration? {
    let message = try #require(ControlMessage(line: configuration.message.encoded.dropLast()))
    return ServerConfiguration(message: message)
  }

  @Test("arrives as it was sent, with the secret that seals and the surroundings")
  func roundTrip() throws {
    #expect(UpstreamSettings.list(fields: UpstreamSettings.fields(of: settings)) == settings)
    let surroundings = UpstreamSurroundings(environment: ["HOME": "/h", "AWS_PROFILE": "x=y %", "https_proxy": ""])
    let configuration = ServerConfiguration(
      upstreams: settings, sealingSecret: Secret("seal ü"), surroundings: surroundings, dataDirectory: "/d")
    let received = try #require(try sent(configuration))
    #expect(received == configuration)
    #expect(received.surroundings.variables["AWS_PROFILE"] == "x=y %")
  }

  @Test("is read carefully where it is damaged")
  func damaged() {
    let fields = [
      "upstream.0.url": "http://h", "upstream.0.timeout": "soon", "upstream.0.layout": "?", "upstream.0.read_only": "x",
      "upstream.2.url": "http://unreachable",
    ]
    #expect(UpstreamSettings.list(fields: fields) == [UpstreamSettings(url: "http://h")])
    #expect(UpstreamSettings.list(fields: [:]) == [])
  }

  @Test("does not show its tokens")
  func redaction() {
    var dumped = ""
    dump(settings, to: &dumped)
    #expect(!dumped.contains("sesame") && !"\(settings)".contains("sesame"))
  }

  @Test("of the surroundings is no more than what stores are reached with")
  func surroundings() {
    let all = [
      "HOME": "/h", "NETRC": "n", "https_proxy": "s", "HTTP_PROXY": "not read", "AWS_ACCESS_KEY_ID": "k",
      "AWS_SESSION_TOKEN": "t=u", "SSL_CERT_FILE": "c", "PATH": "/bin", "GITHUB_TOKEN": "g", "FABRIK_SECRET": "f",
      "aws_profile": "no", "XAWS_A": "no",
    ]
    let kept: Set<String> = [
      "HOME", "NETRC", "https_proxy", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "SSL_CERT_FILE",
    ]
    #expect(Set(UpstreamSurroundings(environment: all).variables.keys) == kept)
    var environment = Environment()
    for (name, value) in all { environment[name] = value }
    #expect(UpstreamSurroundings(environment: environment).variables == all.filter { kept.contains($0.key) })
    #expect(
      UpstreamSurroundings(fields: ["env.HOME": "/h", "env.PATH": "/bin", "url": "x"]).variables == ["HOME": "/h"])
    #expect(UpstreamSurroundings(environment: ["NETRC": ""])["NETRC"] == nil)
  }

  @Test("makes another server of other settings or another secret, and of nothing else")
  func instance() throws {
    try withTemporaryDirectory { directory in
      let runtime = try RuntimeDirectory(environment: Environment(["XDG_RUNTIME_DIR": directory.string]))
      func name(_ upstreams: [UpstreamSettings], seal: String? = nil, salt: String = "") -> FilePath {
        let parameters = ServerInstance.Parameters(
          cacheDirectory: "/c", maxSize: nil, upstreams: upstreams, sealingSecret: seal.map { Secret($0) })
        return ServerInstance(runtime: runtime, parameters: parameters, salt: salt).directory
      }
      let base = name(settings, seal: "a")
      #expect(name(settings, seal: "a") == base)
      #expect(name(settings, seal: "b") != base && name(settings) != base && name([], seal: "a") != base)
      #expect(name(settings.reversed(), seal: "a") != base && name(settings, seal: "a", salt: "s") != base)
      let changes: [(inout UpstreamSettings) -> Void] = [
        { $0.url = "http://x" }, { $0.isReadOnly.toggle() }, { $0.timeout += 1 }, { $0.authorityFile = "/x" },
        { $0.token = Secret("x") }, { $0.layout = .plain }, { $0.region = "x" }, { $0.endpoint = "x" },
        { $0.profile = "x" },
      ]
      var names: Set<FilePath> = [base]
      for change in changes {
        var changed = settings
        change(&changed[0])
        names.insert(name(changed, seal: "a"))
      }
      #expect(names.count == changes.count + 1)
    }
  }

  @Test("is secret where a secret or a token goes into its name")
  func secrecy() {
    func isSecret(_ upstreams: [UpstreamSettings], _ seal: Secret?) -> Bool {
      ServerInstance.Parameters(cacheDirectory: "/c", maxSize: nil, upstreams: upstreams, sealingSecret: seal).isSecret
    }
    #expect(!isSecret([UpstreamSettings(url: "http://h")], nil) && !isSecret([], Secret("x")))
    #expect(isSecret([UpstreamSettings(url: "http://h")], Secret("x")) && isSecret(settings, nil))
  }
}

@Suite("What a check of an upstream has found")
struct UpstreamReportTests {
  @Test(
    "arrives as it was sent",
    arguments: [.granted, .notWanted, .problem("refuses: 403 % =\n"), .problem("granted"), .problem("")]
      as [UpstreamReport.Right])
  func roundTrip(right: UpstreamReport.Right) throws {
    let report = UpstreamReport(
      url: "s3://b", layer: .s3, reading: right, writing: right, latencyMicroseconds: 17, waiting: 4)
    let message = try #require(ControlMessage(line: report.message.encoded.dropLast()))
    #expect(UpstreamReport(message: message) == report)
    let silent = UpstreamReport(url: "http://h", layer: .regional, reading: right, writing: .notWanted)
    #expect(UpstreamReport(message: silent.message) == silent)
    #expect(UpstreamReport(message: ControlMessage("lease")) == nil)
  }
}
