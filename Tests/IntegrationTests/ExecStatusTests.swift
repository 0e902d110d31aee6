import Glibc
import Testing

/// How `fabrik exec` ends.
@Suite(.timeLimit(.minutes(5)))
struct ExecStatusTests {
  @Test(arguments: [0, 1, 2, 64, 125, 126, 127, 128, 200, 255])
  func `the exit status is the command's`(status: CInt) throws {
    let outcome = try Sandbox().run(["fabrik", "exec", "--", "sh", "-c", "exit \(status)"])
    #expect(outcome.status == status << 8)
    #expect(outcome.errors == "")
  }

  @Test(arguments: [SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGPIPE, SIGTERM, SIGSEGV, SIGABRT])
  func `a command that dies by a signal makes fabrik die by it`(signal: CInt) throws {
    let outcome = try Sandbox().run(["fabrik", "exec", "--", "sh", "-c", "ulimit -c 0; kill -\(signal) $$"])
    #expect(outcome.signal == signal)
  }

  @Test func `a command that is not there is 127`() throws {
    let outcome = try Sandbox().run("fabrik exec -- no-such-command")
    #expect(outcome.exitStatus == 127)
    #expect(outcome.errors == "fabrik: no-such-command: command not found\n")
  }

  @Test func `a path that is not there is 127`() throws {
    let outcome = try Sandbox().run("fabrik exec -- ./no-such-command")
    #expect(outcome.exitStatus == 127)
    #expect(outcome.errors == "fabrik: ./no-such-command: No such file or directory\n")
  }

  @Test(arguments: ["touch file; fabrik exec -- ./file", "fabrik exec -- ."])
  func `a file that cannot be executed is 126`(script: String) throws {
    let outcome = try Sandbox().run(script)
    #expect(outcome.exitStatus == 126)
    #expect(outcome.errors.hasSuffix("Permission denied\n"))
  }

  @Test func `a script without an interpreter line is run by sh`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("echo \"$0 $*\"; exit 3\n", to: "script")
    let outcome = try sandbox.run("chmod +x script; fabrik exec -- ./script a 'b c'")
    #expect(outcome.output == "./script a b c\n")
    #expect(outcome.exitStatus == 3)
  }

  @Test(arguments: [
    ("--no-such-flag -- true", "--no-such-flag: there is no such flag; see 'fabrik help exec'"),
    ("", "exec: which command? For example: fabrik exec -- make"),
    ("--linger soon -- true", "--linger: exec.linger takes a duration, such as \"30s\", \"5m\" or 0, not 'soon'"),
    ("--tool ccashe=off -- true", "--tool: unknown tool 'ccashe'; Fabrik knows: ccache, "),
    ("--stats", "--stats: needs a value"),
  ])
  func `wrong use is 125, and says what is wrong`(arguments: String, message: String) throws {
    let outcome = try Sandbox().run("fabrik exec \(arguments)")
    #expect(outcome.exitStatus == 125)
    #expect(outcome.errors.hasPrefix("fabrik: \(message)"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }

  @Test func `a broken file named with --config is 125 and names the line`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("[cache]\nmax_size = \"10GB\"\nsize = 3\n", to: "mine.toml")
    let outcome = try sandbox.run("fabrik exec --config mine.toml -- touch ran")
    #expect(outcome.exitStatus == 125)
    #expect(outcome.errors.contains("mine.toml:3:1: unknown key 'size' in [cache]; known there: dir, max_size"))
    #expect(access("\(sandbox.path)/work/ran", F_OK) != 0)
  }

  @Test func `a broken file that was found costs one line, and the command runs`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("[cache\n", to: ".fabrik.toml")
    let outcome = try sandbox.run("fabrik exec -- echo ran")
    #expect(outcome.exitStatus == 0)
    #expect(outcome.output == "ran\n")
    #expect(outcome.errors.split(separator: "\n").count == 1)
    #expect(outcome.errors.contains(".fabrik.toml:1:"))
  }

  @Test func `a dry run shows what would be set and runs nothing`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run("fabrik exec --dry-run -- touch ran")
    #expect(outcome.exitStatus == 0)
    #expect(outcome.output.contains("CCACHE_REMOTE_STORAGE="))
    #expect(access("\(sandbox.path)/work/ran", F_OK) != 0)
    #expect(sandbox.servers().isEmpty)
  }

  @Test(arguments: [
    ("exce -- make", "fabrik: 'exce' is not a command of fabrik; did you mean 'exec'?\n"),
    ("daemno status", "fabrik: 'daemno' is not a command of fabrik; did you mean 'daemon'?\n"),
    ("make -j2", "fabrik: 'make' is not a command of fabrik; to run it with the cache: fabrik exec -- make -j2\n"),
    ("cache stats --jsn", "fabrik: Unknown option '--jsn'"), ("completions", "fabrik: Missing"),
    (
      "exec 'make clean'",
      "fabrik: make clean: command not found (for a line of shell: fabrik exec -- sh -c 'make clean')"
    ),
  ])
  func `a mistake gets a remedy`(arguments: String, message: String) throws {
    let outcome = try Sandbox().run("fabrik \(arguments)")
    #expect(outcome.exitStatus == (arguments.hasPrefix("exec") ? 127 : 125))
    #expect(outcome.errors.hasPrefix(message), "\(outcome.errors)")
  }
}
