import BuildLauncher
import Configuration
import SystemPackage
import Testing

@Suite("The command line of exec")
struct ExecOptionsTests {
  private func parse(_ arguments: [String]) throws(ConfigurationError) -> ExecOptions {
    try ExecOptions(
      arguments: arguments.map { Array($0.utf8) }, workingDirectory: "/here", knownTools: ["ccache", "go"])
  }

  private func command(_ options: ExecOptions) -> [String] {
    options.command.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(
    "ends where the command begins, which keeps its own flags",
    arguments: [
      (["make"], ["make"]), (["--", "make", "-j2"], ["make", "-j2"]), (["make", "--", "-v"], ["make", "--", "-v"]),
      (["-v", "make", "-v", "--dry-run"], ["make", "-v", "--dry-run"]), (["--", "--", "x"], ["--", "x"]),
      (["--", "-weird"], ["-weird"]), (["-"], ["-"]), (["", "x"], ["", "x"]), (["-q", "--", "A=1"], ["A=1"]),
    ])
  func command(arguments: [String], expected: [String]) throws {
    #expect(command(try parse(arguments)) == expected)
  }

  @Test("keeps a command that is not UTF-8 byte for byte")
  func bytes() throws {
    let options = try ExecOptions(
      arguments: [Array("-q".utf8), [0x6d, 0xff], [0xfe, 0x2d]], workingDirectory: "/", knownTools: [])
    #expect(options.command == [[0x6d, 0xff], [0xfe, 0x2d]])
  }

  @Test("takes nothing for granted")
  func defaults() throws {
    let options = try parse(["make"])
    #expect(!options.isDryRun && options.usesPeers && options.verbosity == .normal && options.configFile == nil)
    #expect(options.flags.linger == nil && options.flags.statistics == nil && options.flags.tools.isEmpty)
  }

  @Test("takes a flag's value from the same argument or the next", arguments: [true, false])
  func values(isAttached: Bool) throws {
    func flag(_ name: String, _ value: String) -> [String] { isAttached ? ["\(name)=\(value)"] : [name, value] }
    let options = try parse(
      flag("--linger", "5m") + flag("--stats", "json") + flag("--stats-file", "a/../stats")
        + flag("--config", "my.toml")
        + flag("--tool", "ccache=off") + flag("--tool", "go=on") + ["make"])
    #expect(options.flags.linger == Setting(.seconds(300), from: .flag(name: "--linger")))
    #expect(options.flags.statistics == Setting(.json, from: .flag(name: "--stats")))
    #expect(options.flags.statisticsFile == Setting("/here/stats", from: .flag(name: "--stats-file")))
    #expect(options.configFile == "/here/my.toml")
    #expect(options.flags.tools.mapValues(\.value) == ["ccache": false, "go": true])
    #expect(command(options) == ["make"])
  }

  @Test(
    "knows how much to say; the last word counts",
    arguments: [
      (["-v"], .verbose), (["--verbose"], .verbose), (["-q"], .quiet), (["--quiet"], .quiet), (["-v", "-q"], .quiet),
      (["-q", "-v"], .verbose), ([], .normal),
    ] as [([String], ExecOptions.Verbosity)])
  func verbosity(flags: [String], verbosity: ExecOptions.Verbosity) throws {
    #expect(try parse(flags + ["make"]).verbosity == verbosity)
  }

  @Test("takes a repeated flag's last value, and an absolute path as it is")
  func repeated() throws {
    let options = try parse(["--linger=1", "--linger", "2", "--config=/a", "--config=/b", "--dry-run", "x"])
    #expect(options.flags.linger?.value == .seconds(2))
    #expect(options.configFile == "/b")
    #expect(options.isDryRun && options.usesPeers)
    #expect(try !parse(["--no-peers", "x"]).usesPeers)
  }

  @Test(
    "is refused with the flag's name and the remedy",
    arguments: [
      ([], "exec: which command? For example: fabrik exec -- make"),
      (["-v"], "exec: which command? For example: fabrik exec -- make"),
      (["--"], "exec: which command? For example: fabrik exec -- make"),
      (["--nonsense", "make"], "--nonsense: there is no such flag; see 'fabrik help exec'"),
      (["--nonsense=3", "make"], "--nonsense: there is no such flag; see 'fabrik help exec'"),
      (["-x", "make"], "-x: there is no such flag; see 'fabrik help exec'"),
      (["-v=3", "make"], "-v=3: there is no such flag; see 'fabrik help exec'"),
      (["--dry-run=yes", "make"], "--dry-run: takes no value"),
      (["--no-peers=yes", "make"], "--no-peers: takes no value"),
      (["--verbose=", "make"], "--verbose: takes no value"),
      (["--linger"], "--linger: needs a value"), (["--config"], "--config: needs a value"),
      (["--linger=soon", "x"], "--linger: exec.linger takes a duration, such as \"30s\", \"5m\" or 0, not 'soon'"),
      (["--stats=", "x"], "--stats: exec.stats takes \"none\", \"line\" or \"json\", not ''"),
      (["--tool", "rust=on", "x"], "--tool: unknown tool 'rust'; Fabrik knows: ccache, go"),
      (["--tool=go", "x"], "--tool: write go=on or go=off, not 'go'"),
      (["--tool=go=maybe", "x"], "--tool: write go=on or go=off, not 'go=maybe'"),
      (["--stats-file", "", "x"], "--stats-file: exec.stats_file takes a path, such as \"/var/cache/fabrik\", not ''"),
    ])
  func errors(arguments: [String], message: String) {
    let error = #expect(throws: ConfigurationError.self) { try parse(arguments) }
    #expect(error?.description == message)
  }
}
