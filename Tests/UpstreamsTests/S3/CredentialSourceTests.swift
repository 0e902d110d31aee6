import ControlProtocol
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

@Suite("Credentials")
struct CredentialSourceTests {
  /// A user's home with the two files.
  private struct Home {
    let path: FilePath

    func write(credentials: String? = nil, configuration: String? = nil) throws {
      if let credentials { try Files.write(credentials, to: path.pushing(".aws/credentials")) }
      if let configuration { try Files.write(configuration, to: path.pushing(".aws/config")) }
    }

    /// Only the variables that a launcher hands over are seen.
    func source(_ variables: [String: String] = [:], profile: String? = nil) -> CredentialSource {
      let all = variables.merging(["HOME": path.string]) { own, _ in own }
      return CredentialSource(profile: profile, environment: UpstreamSurroundings(environment: all).variables)
    }

    func find(_ variables: [String: String] = [:], profile: String? = nil) -> CredentialSource.Finding {
      source(variables, profile: profile).reload()
    }
  }

  private func withHome(_ body: (Home) throws -> Void) throws {
    try withTemporaryDirectory { try body(Home(path: $0)) }
  }

  private func credentials(_ key: String, _ secret: String, _ token: String? = nil) -> CredentialSource.Finding {
    .credentials(
      S3Credentials(keyIdentifier: key, secretKey: Secret(secret), sessionToken: token.map { Secret($0) }))
  }

  private static let keys = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "env/secret+="]
  private static let files = """
    [default]
    aws_access_key_id = DEFAULT
    aws_secret_access_key = default/secret+=
    [work]
    aws_access_key_id = WORK
    aws_secret_access_key = work-secret
    aws_session_token = work-token
    """

  @Test("come from the environment, before any profile but the settings'")
  func environment() throws {
    try withHome { home in
      try home.write(credentials: Self.files)
      #expect(home.find(Self.keys) == credentials("ENV", "env/secret+="))
      #expect(home.find(Self.keys.merging(["AWS_PROFILE": "work"]) { $1 }) == credentials("ENV", "env/secret+="))
      #expect(home.find(Self.keys, profile: "work") == credentials("WORK", "work-secret", "work-token"))
      #expect(
        home.find(Self.keys.merging(["AWS_SESSION_TOKEN": "t", "AWS_SECURITY_TOKEN": "old"]) { $1 })
          == credentials("ENV", "env/secret+=", "t"))
      #expect(
        home.find(Self.keys.merging(["AWS_SECURITY_TOKEN": "old"]) { $1 }) == credentials("ENV", "env/secret+=", "old"))
    }
  }

  @Test("come from the profile that a variable names, else from the default one")
  func profiles() throws {
    try withHome { home in
      try home.write(credentials: Self.files)
      #expect(home.find() == credentials("DEFAULT", "default/secret+="))
      #expect(home.find(["AWS_PROFILE": "work"]) == credentials("WORK", "work-secret", "work-token"))
      #expect(home.find(["AWS_DEFAULT_PROFILE": "work"]) == credentials("WORK", "work-secret", "work-token"))
      #expect(home.find(["AWS_PROFILE": "default", "AWS_DEFAULT_PROFILE": "work"]) == home.find())
      #expect(home.find(["AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""]) == home.find())
    }
  }

  @Test("come from the configuration where the credentials' file has none")
  func configuration() throws {
    try withHome { home in
      let section = "aws_access_key_id = CONFIG\naws_secret_access_key = config-secret\nregion = eu-west-1\n"
      try home.write(configuration: "[default]\n\(section)[profile work]\n\(section)")
      #expect(home.find() == credentials("CONFIG", "config-secret"))
      #expect(home.find(profile: "work") == credentials("CONFIG", "config-secret"))
      try home.write(credentials: Self.files + "\n[other]\nregion = us-west-2")
      #expect(home.find(profile: "work") == credentials("WORK", "work-secret", "work-token"))
      #expect(home.source(profile: "work").profile()["region"] == "eu-west-1")
      #expect(home.source(["AWS_PROFILE": "other"]).profile() == ["region": "us-west-2"])
    }
  }

  @Test("are absent without a file or a section: then requests are not signed")
  func absent() throws {
    try withHome { home in
      #expect(home.find() == .anonymous)
      #expect(home.source().profile().isEmpty)
      try home.write(credentials: "[work]\n", configuration: "[default]\nregion = a\n")
      #expect(home.find() == .anonymous)
      #expect(home.find(["HOME": ""]) == .anonymous)
    }
  }

  @Test("come from files that variables name")
  func otherFiles() throws {
    try withHome { home in
      try home.write(credentials: Self.files)
      let elsewhere = home.path.pushing("else where")
      try Files.write("[default]\naws_access_key_id=ELSE\naws_secret_access_key=e", to: elsewhere)
      #expect(home.find(["AWS_SHARED_CREDENTIALS_FILE": elsewhere.string]) == credentials("ELSE", "e"))
      #expect(home.find(["AWS_SHARED_CREDENTIALS_FILE": "~/else where"]) == credentials("ELSE", "e"))
      #expect(
        home.find(["AWS_SHARED_CREDENTIALS_FILE": "/nowhere/at/all", "AWS_CONFIG_FILE": elsewhere.string])
          == credentials("ELSE", "e"))
    }
  }

  @Test("are looked for again each time, so that new ones are found")
  func rotation() throws {
    try withHome { home in
      let source = home.source()
      try home.write(credentials: Self.files)
      #expect(source.reload() == credentials("DEFAULT", "default/secret+="))
      try home.write(credentials: Self.files.replacing("DEFAULT", with: "ROTATED"))
      #expect(source.reload() == credentials("ROTATED", "default/secret+="))
    }
  }

  @Test("have no blanks around them")
  func blanks() throws {
    try withHome { home in
      #expect(
        home.find(["AWS_ACCESS_KEY_ID": " K\n", "AWS_SECRET_ACCESS_KEY": "s\r\n", "AWS_SESSION_TOKEN": "\t"])
          == credentials("K", "s"))
    }
  }

  @Test("that are wrong are a problem, which says what to do")
  func problems() throws {
    try withHome { home in
      func problem(_ variables: [String: String] = [:], profile: String? = nil) -> String? {
        if case .problem(let problem) = home.find(variables, profile: profile) { "\(problem)" } else { nil }
      }
      #expect(
        problem(profile: "none")
          == "there is no profile 'none' in \(home.path)/.aws/credentials or \(home.path)/.aws/config")
      #expect(problem(["AWS_PROFILE": "none"])?.hasPrefix("there is no profile 'none' in ") == true)
      #expect(problem(profile: "no\u{1b}[31mne")?.contains("\u{1b}") == false)
      #expect(
        problem(["AWS_ACCESS_KEY_ID": "K"]) == "the environment has AWS_ACCESS_KEY_ID but no AWS_SECRET_ACCESS_KEY")
      #expect(
        problem(["AWS_SECRET_ACCESS_KEY": "hush"])
          == "the environment has AWS_SECRET_ACCESS_KEY but no AWS_ACCESS_KEY_ID")
      #expect(
        problem(Self.keys.merging(["AWS_SESSION_TOKEN": "hush\r\nX-Evil: 1"]) { $1 })
          == "AWS_SESSION_TOKEN in the environment has characters that no key has")
      #expect(
        problem(["AWS_SHARED_CREDENTIALS_FILE": "here"]) == "AWS_SHARED_CREDENTIALS_FILE must be an absolute path")
      #expect(
        problem(["AWS_CONFIG_FILE": home.path.string])?.hasPrefix("\(home.path) cannot be read: ") == true)

      try home.write(
        credentials: "[half]\naws_access_key_id = K\n[other]\naws_secret_access_key = hush\n[none]",
        configuration: "[profile sso]\nsso_session = x\n[profile run]\ncredential_process = /bin/x\n")
      #expect(problem(profile: "half") == "the profile 'half' has aws_access_key_id but no aws_secret_access_key")
      #expect(problem(profile: "other") == "the profile 'other' has aws_secret_access_key but no aws_access_key_id")
      #expect(problem(profile: "none") == "the profile 'none' has no aws_access_key_id")
      #expect(
        problem(profile: "sso")
          == "the profile 'sso' has sso_session in place of keys, which is not supported: export keys with 'aws "
          + "configure export-credentials --format env --profile sso'")
      #expect(problem(profile: "run")?.contains("credential_process") == true)
    }
  }

  @Test("show themselves to nobody")
  func redacted() throws {
    try withHome { home in
      let finding = home.find(Self.keys.merging(["AWS_SESSION_TOKEN": "hush"]) { $1 })
      var dumped = "\(finding) "
      dump(finding, to: &dumped)
      #expect(dumped.contains("ENV"))
      #expect(!dumped.contains("secret+") && !dumped.contains("hush"))
    }
  }
}
