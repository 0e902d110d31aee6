import ArgumentParser
import BuildLauncher
import Configuration
import ControlProtocol
import SystemSupport

/// `fabrik env`: what `exec` would set, for a shell.
struct EnvironmentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "env",
    abstract: "Print what exec would set, for a shell to take over.",
    discussion: """
      eval "$(fabrik env)"            in bash and zsh
      fabrik env --shell fish | source

      The tools that this shell runs then ask the cache by themselves, as long as a server is there: 'fabrik daemon \
      start' keeps one. Only 'fabrik exec' wires Rust, Swift, Nx, compilers that are called by their paths, and bazel and gradle called by the shell itself.
      """)

  /// How variables are written.
  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish, json
  }

  @OptionGroup var options: ConfigurationOption

  @Option(help: "bash, zsh, fish or json; by default what $SHELL is.")
  var shell: Shell?

  func run() throws {
    let world = try World(options)
    let build: BuildEnvironment
    do {
      build = try world.preparation.shellEnvironment()
    } catch {
      throw CommandFailure(description: "\(error)")
    }
    let variables = build.injected + build.remembered.map { ($0.name, Optional($0.value)) }
    let shell = shell ?? Self.usual(world.environment)
    if shell == .json {
      let object = variables.map { ($0.0, $0.1.map { JSONText.string($0) } ?? .null) }
      StandardStream.output.write(line: JSONText.object(object).text)
    } else {
      for (name, value) in variables { StandardStream.output.write(line: Self.line(name, value, for: shell)) }
    }
    let server = try? ServerControl(world: world).status()
    if server?.isDaemon != true {
      let state = server == nil ? "no server is running" : "the server that is running ends after the last build"
      StandardStream.error.write(line: "fabrik: \(state); 'fabrik daemon start' starts one that stays")
    }
  }

  private static func usual(_ environment: Environment) -> Shell {
    let name = environment["SHELL"]?.split(separator: "/").last.map(String.init)
    return name.flatMap(Shell.init(rawValue:)) ?? .bash
  }

  private static func line(_ name: String, _ value: String?, for shell: Shell) -> String {
    switch (shell, value) {
    case (.fish, let value?): "set -gx \(name) \(quote(value, escaping: ["\\", "'"]) { "\\\($0)" })"
    case (.fish, nil): "set -e \(name)"
    // Within single quotes nothing is special but their end.
    case (_, let value?): "export \(name)=\(quote(value, escaping: ["'"]) { "'\\\($0)'" })"
    case (_, nil): "unset \(name)"
    }
  }

  private static func quote(
    _ text: String, escaping characters: Set<Character>, by escape: (Character) -> String
  ) -> String {
    "'" + text.map { characters.contains($0) ? escape($0) : String($0) }.joined() + "'"
  }
}
