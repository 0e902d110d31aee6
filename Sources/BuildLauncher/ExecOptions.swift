package import Configuration
package import SystemPackage

/// `fabrik exec`'s command line, parsed by hand: ArgumentParser takes longer to start than everything else together.
/// The `ExecCommand` of the executable declares the same flags for help, completions and the manual; a test compares.
package struct ExecOptions: Sendable {
  package var flags = ConfigurationLayer()
  package var configFile: FilePath?
  package var isDryRun = false
  package var isVersionWanted = false
  /// Whether this build may fetch from other machines, where they are configured.
  package var usesPeers = true
  /// Whether this build may fetch from, and write to, the stores behind the peers.
  package var usesUpstreams = true
  package var verbosity = Verbosity.normal
  /// COMMAND and its arguments, byte for byte. Empty only if the version is wanted.
  package var command: [[UInt8]] = []

  package enum Verbosity: Sendable {
    case quiet, normal, verbose
  }

  /// - Parameters:
  ///   - arguments: what follows `exec`.
  ///   - workingDirectory: what relative paths in flags are relative to.
  package init(
    arguments: [[UInt8]], workingDirectory: FilePath, knownTools: [String]
  ) throws(ConfigurationError) {
    var rest = arguments[...]
    while let argument = rest.first {
      let text = String(decoding: argument, as: UTF8.self)
      guard text.hasPrefix("-"), text != "-" else { break }
      rest = rest.dropFirst()
      if text == "--" { break }
      let flag = Flag(text)
      switch flag.name {
      case "--version": isVersionWanted = try flag.withoutValue(true)
      case "--dry-run": isDryRun = try flag.withoutValue(true)
      case "--no-upstream": usesUpstreams = try flag.withoutValue(false)
      case "--no-peers": usesPeers = try flag.withoutValue(false)
      case "-v", "--verbose": verbosity = try flag.withoutValue(.verbose)
      case "-q", "--quiet": verbosity = try flag.withoutValue(.quiet)
      case "--config": configFile = workingDirectory.pushing(FilePath(try flag.value(from: &rest)))
      case "--tool": try flags.setTool(flag.value(from: &rest), from: flag.place, knownTools: knownTools)
      default:
        guard let key = Self.settings[flag.name] else {
          throw ConfigurationError(flag.place, "there is no such flag; see 'fabrik help exec'")
        }
        try flags.set(
          key, to: flag.value(from: &rest), from: flag.place, relativeTo: workingDirectory, knownTools: knownTools)
      }
    }
    command = Array(rest)
    guard !command.isEmpty || isVersionWanted else {
      throw ConfigurationError(.flag(name: "exec"), "which command? For example: fabrik exec -- make")
    }
  }

  /// Flags that set a key of the configuration.
  package static let settings: [String: SettingKey] = [
    "--linger": .linger, "--stats": .statistics, "--stats-file": .statisticsFile,
  ]

  private struct Flag {
    let name: String
    let attached: String?

    init(_ text: String) {
      if text.hasPrefix("--"), let equals = text.firstIndex(of: "=") {
        name = String(text[..<equals])
        attached = String(text[text.index(after: equals)...])
      } else {
        name = text
        attached = nil
      }
    }

    var place: ConfigurationError.Place { .flag(name: name) }

    func value(from rest: inout ArraySlice<[UInt8]>) throws(ConfigurationError) -> String {
      if let attached { return attached }
      guard let next = rest.popFirst() else { throw ConfigurationError(place, "needs a value") }
      return String(decoding: next, as: UTF8.self)
    }

    func withoutValue<Value>(_ value: Value) throws(ConfigurationError) -> Value {
      guard attached == nil else { throw ConfigurationError(place, "takes no value") }
      return value
    }
  }
}
