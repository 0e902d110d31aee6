import ArgumentParser
import BuildTools

/// The help of `fabrik exec`. Its command line is parsed by ``ExecOptions``, which does not need ArgumentParser; a test
/// makes sure that the two know the same flags.
struct ExecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exec",
    abstract: "Run a command with the cache behind it.",
    usage: "fabrik exec [<options>] [--] COMMAND [ARG...]",
    discussion: """
      COMMAND keeps its terminal, input, output and exit status. The tools below it find the cache through their \
      environment; a variable that is set already is left as it is. A server in the background answers them; it \
      stays for a while after the last build, so that the next one finds it running.

      Exit status: COMMAND's own; 125 if fabrik was called wrongly, 126 if COMMAND cannot be executed, 127 if it was \
      not found. If COMMAND dies by a signal, so does fabrik. With FABRIK=off in the environment, COMMAND runs as \
      if Fabrik were not there.

      Tools: \(BuildTools.all.map { "\($0.name) (\($0.purpose))" }.joined(separator: ", ")).
      """)

  @Option(help: ArgumentHelp("How long the server stays after the last build (30s; 0 in CI).", valueName: "duration"))
  var linger: String?

  @Option(help: ArgumentHelp("Use this file instead of .fabrik.toml.", valueName: "file"), completion: .file())
  var config: String?

  @Option(
    help: ArgumentHelp("What to print at the end: none, line or json (line).", valueName: "mode"),
    completion: .list(["none", "line", "json"]))
  var stats: String?

  @Option(help: ArgumentHelp("Also write the statistics there, as JSON.", valueName: "file"), completion: .file())
  var statsFile: String?

  @Option(
    help: ArgumentHelp(
      "Switch one tool on or off, as in --tool go=off. May be given several times.", valueName: "name=on|off"),
    completion: .list(BuildTools.names.flatMap { ["\($0)=on", "\($0)=off"] }))
  var tool: [String] = []

  @Flag(help: "Fetch nothing from other machines for this build; they may fetch from this one.")
  var noPeers = false

  @Flag(help: "Use no upstream for this build.")
  var noUpstream = false

  @Flag(help: "Show what would be set, and run nothing.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "Say what was left as it is, and why.")
  var verbose = false

  @Flag(name: .shortAndLong, help: "Print nothing.")
  var quiet = false

  @Argument(
    parsing: .captureForPassthrough, help: "The command to run.",
    completion: .shellCommand(CompletionScript.commandMark))
  var command: [String] = []
}
