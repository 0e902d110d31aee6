import ArgumentParser
import Configuration
import ControlProtocol
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

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
    subcommands: [ExecCommand.self, CacheCommand.self, ConfigCommand.self, CompletionsCommand.self])

  static func printExecHelp() -> Never {
    StandardStream.output.write(line: helpMessage(for: ExecCommand.self))
    Glibc.exit(0)
  }

  /// Parses the command line, runs the command and ends the process. What the user wrote wrongly in a file or variable
  /// is told as one line that names the place.
  static func start() -> Never {
    do {
      var command = try parseAsRoot()
      try command.run()
      Glibc.exit(0)
    } catch let error as ConfigurationError {
      StandardStream.error.write(line: "fabrik: \(error)")
      Glibc.exit(125)
    } catch let error as CommandFailure {
      StandardStream.error.write(line: "fabrik: \(error)")
      Glibc.exit(1)
    } catch {
      exit(withError: error)
    }
  }
}

/// A command could not do what was asked; the sentence says why and what to do.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String
}
