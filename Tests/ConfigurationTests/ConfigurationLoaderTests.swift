import Configuration
import ControlProtocol
import SystemPackage
import SystemSupport
import TestSupport
import Testing

/// A home directory and a project in it.
private struct Household {
  let home: FilePath
  var variables: [(String, String)] = []

  var project: FilePath { home.appending("project") }
  var projectFile: FilePath { project.appending(".fabrik.toml") }
  var userFile: FilePath { home.appending(".config/fabrik/config.toml") }

  func load(
    named: FilePath? = nil, flags: ConfigurationLayer = .init(), in directory: String = "project/sub"
  ) throws -> ConfigurationLoader.Result {
    try FileSystem.makeDirectories(home.appending(directory))
    var environment = Environment(["HOME": home.string])
    for (name, value) in variables { environment[name] = value }
    return try ConfigurationLoader(
      environment: environment, workingDirectory: home.appending(directory), knownTools: ["ccache", "go"]
    ).load(named: named, flags: flags)
  }
}

@Suite("Where configuration comes from")
struct ConfigurationLoaderTests {
  private func withHousehold(_ body: (inout Household) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      var household = Household(home: directory)
      try body(&household)
    }
  }

  @Test("without any source, the defaults are in force")
  func defaults() throws {
    try withHousehold { household in
      let result = try household.load()
      #expect(result.files.isEmpty && result.problems.isEmpty)
      let configuration = result.configuration
      #expect(configuration.cacheDirectory == Setting(household.home.appending(".cache/fabrik")))
      #expect(configuration.maxSize == Setting(nil))
      #expect(configuration.linger == Setting(.seconds(30)))
      #expect(configuration.statistics == Setting(.line))
      #expect(configuration.statisticsFile == Setting(nil))
      #expect(configuration.isOn(tool: "ccache"))
    }
  }

  @Test("runners of CI do not wait: there, the default is not to linger")
  func inCI() throws {
    try withHousehold { household in
      household.variables = [("CI", "true")]
      var configuration = try household.load().configuration
      #expect(configuration.linger.value == .zero)
      household.variables = [("CI", ""), ("XDG_CACHE_HOME", "/c")]
      configuration = try household.load().configuration
      #expect(configuration.linger.value == .seconds(30))
      #expect(configuration.cacheDirectory.value == "/c/fabrik")
    }
  }

  @Test("flags come before variables, these before the project's file, this before the user's")
  func precedence() throws {
    try withHousehold { household in
      try Files.write("exec.linger = 1\nexec.stats = \"json\"", to: household.userFile)
      #expect(try household.load().configuration.linger.value == .seconds(1))
      try Files.write("exec.linger = 2", to: household.projectFile)
      var result = try household.load()
      #expect(result.files == [household.projectFile, household.userFile])
      #expect(result.configuration.linger.value == .seconds(2))
      #expect(result.configuration.linger.place == .file(household.projectFile, line: 1, column: 1))
      #expect(result.configuration.statistics.value == .json, "what the project does not say is the user's")
      household.variables = [("FABRIK_LINGER", "3")]
      result = try household.load()
      #expect(result.configuration.linger == Setting(.seconds(3), from: .environment(name: "FABRIK_LINGER")))
      var flags = ConfigurationLayer()
      try flags.set(.linger, to: "4s", from: .flag(name: "--linger"), relativeTo: "/", knownTools: [])
      #expect(
        try household.load(flags: flags).configuration.linger == Setting(.seconds(4), from: .flag(name: "--linger")))
    }
  }

  @Test("tools are switched one by one, each by the strongest source that names it")
  func tools() throws {
    try withHousehold { household in
      try Files.write("exec.tools = { ccache = false, go = false }", to: household.userFile)
      household.variables = [("FABRIK_TOOLS", "go=on")]
      let configuration = try household.load().configuration
      #expect(configuration.isOn(tool: "go"))
      #expect(!configuration.isOn(tool: "ccache"))
      #expect(configuration.isOn(tool: "unheard-of"))
    }
  }

  @Test("without any source, there are no peers")
  func noPeers() throws {
    try withHousehold { household in
      let peers = try household.load().configuration.peers
      #expect(peers.settings == nil && !peers.isEnabled.value)
      #expect(peers.consent.value == .notifyOnce && peers.port.value == 0)
      #expect(!peers.name.value.isEmpty && !peers.name.value.contains("."))
    }
  }

  @Test("the secret may be the user's, and its use the project's")
  func secretElsewhere() throws {
    try withHousehold { household in
      try Files.write("p2p.secret = \"\(goodSecret)\"\np2p.name = \"desk\"", to: household.userFile)
      #expect(try household.load().configuration.peers.settings == nil)
      try Files.write("p2p.enabled = true", to: household.projectFile)
      let settings = try household.load().configuration.peers.settings
      #expect(settings == PeerSettings(secret: Secret(goodSecret), name: "desk"))
    }
  }

  @Test("peers that are wanted without a secret are a problem, and builds go on without")
  func noSecret() throws {
    try withHousehold { household in
      try Files.write("exec.linger = 7\np2p.enabled = true", to: household.projectFile)
      let result = try household.load()
      let said =
        "\(household.projectFile):2:1: p2p.enabled needs a p2p.secret, the same on every machine of the team; "
        + "make one with: fabrik p2p secret"
      #expect(result.problems.map(\.description) == [said])
      #expect(result.problems.map(\.asIgnored) == ["\(said); builds run without peers"])
      #expect(result.configuration.linger.value == .seconds(7))
      #expect(result.configuration.peers.settings == nil)
      #expect(throws: ConfigurationError.self) { try household.load(named: household.projectFile) }
      household.variables = [("FABRIK_P2P_SECRET", goodSecret)]
      #expect(try household.load(named: household.projectFile).configuration.peers.settings?.secret.text == goodSecret)
    }
  }

  @Test("what is in force is shown with its source, and the secret not at all")
  func rows() throws {
    try withHousehold { household in
      household.variables = [("FABRIK_P2P_SECRET", goodSecret), ("FABRIK_P2P_ENABLED", "1")]
      try Files.write(
        "[p2p]\npeers = [\"10.0.0.2:4711\", \"[fe80::1%eth0]:1\"]\nport = 4711\nname = \"desk\"",
        to: household.projectFile)
      let configuration = try household.load().configuration
      let rows = configuration.rows.filter { $0.key.hasPrefix("p2p.") }.map { "\($0.key) = \($0.written)" }
      #expect(
        rows == [
          "p2p.enabled = true", "p2p.secret = \"<redacted>\"", "p2p.consent = \"notify-once\"",
          "p2p.peers = [\"10.0.0.2:4711\", \"[fe80::1%eth0]:1\"]", "p2p.port = 4711", "p2p.interfaces = []",
          "p2p.name = \"desk\"",
        ])
      #expect(configuration.rows.contains { $0.origin == "environment variable FABRIK_P2P_SECRET" })
      var dumped = ""
      dump(configuration, to: &dumped)
      #expect(!dumped.contains(goodSecret) && !"\(configuration)".contains(goodSecret))
    }
  }

  @Test("every key has a variable; an empty one says nothing")
  func variables() throws {
    try withHousehold { household in
      household.variables = [
        ("FABRIK_CACHE_DIR", "rel"), ("FABRIK_MAX_SIZE", "1GB"), ("FABRIK_LINGER", ""), ("FABRIK_STATS", "none"),
        ("FABRIK_STATS_FILE", "/s"), ("FABRIK_TOOLS", "ccache=off,go=on"),
        ("FABRIK_P2P_ENABLED", "on"), ("FABRIK_P2P_SECRET", goodSecret), ("FABRIK_P2P_CONSENT", "always-allow"),
        ("FABRIK_P2P_PEERS", "10.0.0.2:1, [::1]:2"), ("FABRIK_P2P_PORT", "4711"),
        ("FABRIK_P2P_INTERFACES", "eth0,wlan0"),
        ("FABRIK_P2P_NAME", "desk"),
      ]
      let result = try household.load()
      #expect(result.problems.isEmpty)
      #expect(result.configuration.cacheDirectory.value == household.project.appending("sub/rel"))
      #expect(result.configuration.maxSize.value?.bytes == 1_000_000_000)
      #expect(result.configuration.linger == Setting(.seconds(30)))
      #expect(result.configuration.statistics.value == .none)
      #expect(result.configuration.statisticsFile.value == "/s")
      #expect(!result.configuration.isOn(tool: "ccache"))
      #expect(
        result.configuration.peers.settings
          == PeerSettings(
            secret: Secret(goodSecret), consent: .alwaysAllow, addresses: ["10.0.0.2:1", "[::1]:2"], port: 4711,
            interfaces: ["eth0", "wlan0"], name: "desk"))
    }
  }

  @Test("a wrong variable is a problem, and counts for nothing")
  func wrongVariable() throws {
    try withHousehold { household in
      household.variables = [
        ("FABRIK_LINGER", "soon"), ("FABRIK_STATS", "json"), ("FABRIK_TOOLS", "go"), ("FABRIK_P2P_SECRET", "s3cr3t"),
      ]
      let result = try household.load()
      #expect(
        result.problems.map(\.description) == [
          "environment variable FABRIK_LINGER: exec.linger takes a duration, such as \"30s\", \"5m\" or 0, not 'soon'",
          "environment variable FABRIK_TOOLS: write go=on or go=off, not 'go'",
          "environment variable FABRIK_P2P_SECRET: p2p.secret is shorter than 16 characters; make a good one with: "
            + "fabrik p2p secret",
        ])
      #expect(result.configuration.linger.value == .seconds(30))
      #expect(result.configuration.statistics.value == .json)
    }
  }

  @Test("a broken file that was found is a problem and counts for nothing as a whole")
  func brokenDiscovered() throws {
    try withHousehold { household in
      try Files.write("exec.linger = 1\nexec.stats = \"json\"\nwrong = 1", to: household.projectFile)
      try Files.write("exec.linger = 5", to: household.userFile)
      let result = try household.load()
      #expect(result.files == [household.userFile])
      #expect(result.problems.count == 1)
      #expect(result.problems.first?.place == .file(household.projectFile, line: 3, column: 1))
      #expect(result.configuration.linger.value == .seconds(5))
      #expect(result.configuration.statistics.value == .line)
    }
  }

  @Test("a named file takes the place of both others, by flag or variable", arguments: [true, false])
  func named(byFlag: Bool) throws {
    try withHousehold { household in
      try Files.write("exec.linger = 1", to: household.projectFile)
      try Files.write("exec.stats = \"json\"", to: household.userFile)
      try Files.write("exec.linger = 9", to: household.project.appending("sub/mine.toml"))
      if !byFlag { household.variables = [("FABRIK_CONFIG", "mine.toml")] }
      let result = try household.load(named: byFlag ? "mine.toml" : nil)
      #expect(result.files == [household.project.appending("sub/mine.toml")])
      #expect(result.configuration.linger.value == .seconds(9))
      #expect(result.configuration.statistics.value == .line)
    }
  }

  @Test("a named file that is broken or missing is an error", arguments: ["broken.toml", "missing.toml"])
  func namedBroken(name: String) throws {
    try withHousehold { household in
      let path = household.project.appending("sub/broken.toml")
      try Files.write("[cache]\nsize = 1", to: path)
      let error = #expect(throws: ConfigurationError.self) { try household.load(named: FilePath(name)) }
      #expect(error?.description.hasPrefix("\(household.project)/sub/\(name):") == true)
    }
  }

  @Test("the nearest project file counts, up to the root")
  func nearest() throws {
    try withHousehold { household in
      try Files.write("exec.linger = 1", to: household.projectFile)
      #expect(try household.load(in: "project/a/b/c").configuration.linger.value == .seconds(1))
      try Files.write("exec.linger = 2", to: household.project.appending("a/.fabrik.toml"))
      #expect(try household.load(in: "project/a/b/c").configuration.linger.value == .seconds(2))
      #expect(try household.load(in: "elsewhere").configuration.linger.value == .seconds(30))
    }
  }

  @Test("XDG directories that are not absolute paths are ignored, as the specification demands")
  func relativeXDG() throws {
    try withHousehold { household in
      household.variables = [("XDG_CACHE_HOME", "rel"), ("XDG_CONFIG_HOME", "")]
      try Files.write("exec.linger = 1", to: household.userFile)
      let configuration = try household.load().configuration
      #expect(configuration.cacheDirectory.value == household.home.appending(".cache/fabrik"))
      #expect(configuration.linger.value == .seconds(1))
    }
  }
}
