import SystemPackage
import SystemSupport

/// Go through GOCACHEPROG: each `go` command starts `fabrik cacheprog` and asks it instead of its own cache directory.
package enum Go: BuildTool {
  package static let name = "go"
  package static let purpose = "Go"
  package static let namespaces = ["go"]

  package static func isDriven(by command: String) -> Bool { drivers.contains(command) }

  private static let drivers: Set<String> = ["go", "gotestsum", "goreleaser", "mage", "task", "ko", "golangci-lint"]

  private static let variable = "GOCACHEPROG"

  package static func wire(_ context: BuildContext) -> Wiring {
    // An empty one counts: that is how it is switched off.
    if context.environment[variable] != nil { return .leftAlone("\(variable) is set") }
    guard let program = program(context) else {
      return .unavailable("Go is not cached: there is no go on the PATH (Go 1.24 or newer: https://go.dev/dl)")
    }
    guard let version = context.host.version(of: program, option: "version") else {
      return .unavailable("Go is not cached: '\(program) version' failed")
    }
    guard isRecent(version) else {
      return .unavailable("Go is not cached: \(program) is too old; Go 1.24 or newer has \(variable)")
    }
    if let file = settingsFiles(context, program).first(where: { isSet(in: context.host.read($0)) }) {
      return .leftAlone("\(variable) is set in \(file)")
    }
    guard let command = quoted(context.endpoints.goCacheProgram) else {
      return .unavailable("Go is not cached: Go cannot start fabrik by its path")
    }
    var wiring = Wiring()
    wiring.setProgram(program, version: version)
    wiring.variables = [.init(variable, command)]
    wiring.silenceHint = """
      no go command asked for cached results; one that is older than 1.24 does not, \
      and neither does one whose environment is set anew
      """
    return wiring
  }

  /// The one that the user runs, or else the first on the PATH.
  private static func program(_ context: BuildContext) -> FilePath? {
    if let command = context.command.first.map({ FilePath($0) }), command.isAbsolute,
      command.lastComponent?.string == "go", context.host.exists(command)
    {
      return command
    }
    return context.host.find("go")
  }

  /// Whether `go version` names 1.24 or later: `go version go1.24.2 linux/amd64`, `go version devel go1.25-abcdef …`.
  private static func isRecent(_ version: String) -> Bool {
    for word in version.split(whereSeparator: \.isWhitespace) where word.hasPrefix("go") {
      if let version = ToolVersion(word.dropFirst(2)) { return version >= ToolVersion(1, 24) }
    }
    return false
  }

  /// What `go env -w` writes, and the installation's defaults. Source: `EnvFile` and `initEnvCache` in
  /// `cmd/go/internal/cfg/cfg.go`.
  private static func settingsFiles(_ context: BuildContext, _ program: FilePath) -> [FilePath] {
    let environment = context.environment
    let root =
      environment.absolutePath("GOROOT") ?? program.removingLastComponent().removingLastComponent()
    return [userFile(environment), root.appending("go.env")].compactMap { $0 }
  }

  private static func userFile(_ environment: Environment) -> FilePath? {
    if let file = environment.nonEmpty("GOENV") { return file == "off" ? nil : FilePath(file) }
    return environment.configurationDirectory?.appending("go/env")
  }

  private static func isSet(in text: String?) -> Bool {
    guard let text else { return false }
    return text.split(whereSeparator: \.isNewline).contains { line in
      let line = line.drop(while: \.isWhitespace)
      return line.hasPrefix("\(variable)=") && line.utf8.count > variable.utf8.count + 1
    }
  }

  /// One string that Go splits into these words again: at blanks, with single or double quotes around a word, and no
  /// escapes. nil when there is no such string, or no word. Source: `cmd/internal/quoted`.
  private static func quoted(_ words: [String]) -> String? {
    guard !words.isEmpty else { return nil }
    var parts: [String] = []
    for word in words {
      let hasBlank = word.isEmpty || word.utf8.contains { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
      switch (hasBlank || word.hasPrefix("'") || word.hasPrefix("\""), word.contains("'"), word.contains("\"")) {
      case (false, _, _): parts.append(word)
      case (true, false, _): parts.append("'\(word)'")
      case (true, true, false): parts.append("\"\(word)\"")
      case (true, true, true): return nil
      }
    }
    return parts.joined(separator: " ")
  }
}
