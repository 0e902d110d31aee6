import ArgumentParser
import SystemSupport

/// `fabrik completions`: scripts for shells.
struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions",
    abstract: "Print a completion script.",
    discussion: "For example: fabrik completions bash > ~/.local/share/bash-completion/completions/fabrik")

  /// The shells there are scripts for.
  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish

    var argumentParserShell: CompletionShell {
      switch self {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    }
  }

  @Argument(help: "bash, zsh or fish.")
  var shell: Shell

  func run() throws {
    StandardStream.output.write(line: CompletionScript(shell).text)
  }
}
