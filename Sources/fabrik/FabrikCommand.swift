import ArgumentParser
import Configuration
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

/// `fabrik`, the root of all commands.
struct FabrikCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fabrik",
    abstract: "Runs builds with a cache behind them.",
    discussion: """
      fabrik exec -- make        build, and keep what was compiled
      fabrik cache stats         what is kept

      Nothing has to be set up. See 'fabrik help exec' for more.
      """,
    version: fabrikVersion,
    subcommands: [
      ExecCommand.self, EnvironmentCommand.self, DaemonCommand.self, PeersCommand.self, CacheCommand.self,
      ConfigCommand.self, DoctorCommand.self, WhyCommand.self, CompletionsCommand.self,
    ])

  static func printExecHelp() -> Never {
    StandardStream.output.write(line: helpMessage(for: ExecCommand.self))
    Glibc.exit(0)
  }

  /// Parses the command line, runs the command and ends the process. What the user wrote wrongly in a file or variable
  /// is told as one line that names the place.
  static func start() -> Never {
    explainMistakenCommand()
    do {
      var command = try parseAsRoot()
      try command.run()
      Glibc.exit(0)
    } catch let error as ConfigurationError {
      StandardStream.error.write(line: "fabrik: \(error)")
      Glibc.exit(ExitStatus.usage)
    } catch let error as CommandFailure {
      StandardStream.error.write(line: "fabrik: \(error)")
      Glibc.exit(1)
    } catch  where exitCode(for: error) == .validationFailure {
      // ArgumentParser's first word gives way to whose message it is, as in all others.
      let (message, prefix) = (fullMessage(for: error), "Error: ")
      let line = message.hasPrefix(prefix) ? "fabrik: " + message.dropFirst(prefix.count) : message
      StandardStream.error.write(line: line)
      Glibc.exit(ExitStatus.usage)
    } catch {
      exit(withError: error)
    }
  }

  /// `fabrik make` is what one types first.
  private static func explainMistakenCommand() {
    let names = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    guard let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-"), !names.contains(word) else {
      return
    }
    if word == "version" {
      StandardStream.output.write(line: fabrikVersion)
      Glibc.exit(0)
    }
    let related = configuration.subcommands.flatMap { command in
      command.configuration.subcommands.compactMap { $0.configuration.commandName ?? "\($0)".lowercased() }
        .filter { $0 == word }.map { "fabrik \(command.configuration.commandName ?? "") \($0)" }
    }
    if let near = names.first(where: { $0.isNear(word) }) {
      StandardStream.error.write(line: "fabrik: '\(word)' is not a command of fabrik; did you mean '\(near)'?")
      Glibc.exit(ExitStatus.usage)
    }
    let rest = CommandLine.arguments.dropFirst().joined(separator: " ")
    StandardStream.error.write(
      line: "fabrik: '\(word)' is not a command of fabrik"
        + (related.isEmpty ? "" : " (did you mean \(related.joined(separator: " or "))?)")
        + "; to run it with the cache: fabrik exec -- \(rest)")
    Glibc.exit(ExitStatus.usage)
  }
}

extension String {
  /// Whether one slip of the finger makes one of the other: a letter more or less, another one, or two that have changed
  /// places.
  fileprivate func isNear(_ other: String) -> Bool {
    let (one, two) = (Array(utf8), Array(other.utf8))
    guard one.count > 2, two.count > 2, abs(one.count - two.count) < 2 else { return false }
    let start = zip(one, two).prefix { $0 == $1 }.count
    let (left, right) = (one[start...], two[start...])
    if left.count != right.count {
      return left.count < right.count ? left == right.dropFirst() : left.dropFirst() == right
    }
    if left.dropFirst() == right.dropFirst() { return true }
    return left.count > 1 && left.dropFirst(2) == right.dropFirst(2)
      && left.prefix(2).reversed() == Array(right.prefix(2))
  }
}
