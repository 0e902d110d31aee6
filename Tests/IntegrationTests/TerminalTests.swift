import Glibc
import TestSupport
import Testing

/// What a person at a terminal sees must be the same with and without Fabrik. Each test runs both ways, so that it
/// shows that the expectation is what a shell does by itself.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct TerminalTests {
  static let prefixes = ["", "fabrik exec -- "]

  @Test(arguments: prefixes)
  func `Ctrl-C ends the command with status 130`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    terminal.enter(prefix + "bash -c 'echo go''ing; sleep 60; echo not reached'")
    try terminal.expect("going")
    terminal.send("\u{3}")
    #expect(try terminal.status() == "130")
  }

  @Test(arguments: prefixes)
  func `a command that handles Ctrl-C decides its own status`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    terminal.enter(prefix + "bash -c 'trap \"exit 5\" INT; echo go''ing; while :; do sleep 0.05; done'")
    try terminal.expect("going")
    terminal.send("\u{3}")
    #expect(try terminal.status() == "5")
  }

  @Test(arguments: prefixes)
  func `Ctrl-C reaches a command once`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    // Each interrupt is answered; a second answer before the end of the line would show a second signal.
    let script = "trap \"echo heard\" INT; echo go''ing; while ! read -t 0.05 line; do :; done; echo line=$line"
    terminal.enter(prefix + "bash -c '\(script)'")
    try terminal.expect("going")
    terminal.send("\u{3}")
    try terminal.expect("heard")
    terminal.enter("done")
    #expect(try !terminal.expect("line=").contains("heard"))
  }

  @Test(arguments: prefixes)
  func `Ctrl-Z stops the job, and fg continues it`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    terminal.enter(prefix + "bash -c 'echo go''ing; read line; echo \"got:\"$line; exit 7'")
    try terminal.expect("going")
    terminal.send("\u{1a}")
    try terminal.expect("Stopped")
    terminal.enter("echo shell''-is-back")
    try terminal.expect("shell-is-back")
    terminal.enter("fg")
    try terminal.expect("bash -c")
    terminal.enter("hello")
    try terminal.expect("got:hello")
    #expect(try terminal.status() == "7")
  }

  @Test(arguments: prefixes)
  func `a command that stops itself gives the terminal back`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    terminal.enter(prefix + "bash -c 'kill -STOP $$; echo conti''nued; exit 3'")
    try terminal.expect("Stopped")
    terminal.enter("fg")
    try terminal.expect("continued")
    #expect(try terminal.status() == "3")
  }

  @Test(arguments: prefixes)
  func `a command reads lines and single keys from the terminal`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    terminal.enter(
      prefix + "bash -c 'read -p \"na\"\"me? \" name; read -rsn1 -p \"ke\"\"y? \" key; echo \"<$name,$key>\"'")
    try terminal.expect("name? ")
    terminal.enter("Ada")
    try terminal.expect("key? ")
    terminal.send("x")
    try terminal.expect("<Ada,x>")
    #expect(try terminal.status() == "0")
  }

  @Test(arguments: prefixes)
  func `a command hears of a new window size and sees it`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    let script = "trap \"stty size; exit 6\" WINCH; echo go''ing; while :; do sleep 0.05; done"
    terminal.enter(prefix + "bash -c '\(script)'")
    try terminal.expect("going")
    terminal.resize(rows: 41, columns: 123)
    try terminal.expect("41 123")
    #expect(try terminal.status() == "6")
  }

  @Test(arguments: prefixes)
  func `closing the window hangs up on the command`(prefix: String) throws {
    let sandbox = try Sandbox()
    let terminal = try Terminal(sandbox: sandbox)
    terminal.enter(
      prefix + "bash -c 'echo $$ > pid; trap \"echo hup > hup; exit\" HUP; echo go''ing; while :; do sleep 0.05; done'")
    try terminal.expect("going")
    terminal.hangUp()
    try eventually("the command hears SIGHUP") { access("\(sandbox.path)/hup", F_OK) == 0 }
  }

  /// As `ssh -t` and terminal emulators start what they are given: without a shell that would pass it on.
  @Test(arguments: prefixes)
  func `the leader of a terminal's session hears that it hangs up`(prefix: String) throws {
    let sandbox = try Sandbox()
    try sandbox.write(
      """
      import os, pty, sys, time
      process, terminal = pty.fork()
      if process == 0:
          os.execvp(sys.argv[1], sys.argv[1:])
      while not os.path.exists("ready"):
          time.sleep(0.01)
      os.close(terminal)
      os.waitpid(process, 0)
      """, to: "leader.py")
    try sandbox.run(
      "timeout 60 python3 leader.py \(prefix)sh -c "
        + "'trap \"echo hup > hup; exit\" HUP; echo > ready; while :; do sleep 0.05; done'")
    #expect(try sandbox.run("cat hup").output == "hup\n")
  }

  @Test(arguments: prefixes)
  func `a job in the background does not disturb the terminal`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    terminal.enter(prefix + "bash -c 'sleep 0.2; exit 9' & wait $!")
    #expect(try terminal.status() == "9")
    terminal.enter(prefix + "cat & while ! grep -q stop''ped /proc/$!/status; do :; done; jobs")
    try terminal.expect("Stopped")
    terminal.enter("kill %%; kill -CONT %%; wait %%")
    #expect(try terminal.status() == "143")
  }

  // Not bash, which ignores SIGQUIT.
  @Test(arguments: prefixes)
  func `Ctrl-backslash quits the command with status 131`(prefix: String) throws {
    let terminal = try Terminal(sandbox: try Sandbox())
    terminal.enter("ulimit -c 0; " + prefix + "dash -c 'echo go''ing; exec sleep 60'")
    try terminal.expect("going")
    terminal.send("\u{1c}")
    #expect(try terminal.status() == "131")
  }
}
