import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// A server that stays until it is told to end.
@Suite(.timeLimit(.minutes(5)))
struct DaemonTests {
  private func sockets(_ sandbox: Sandbox) throws -> String {
    try sandbox.run("find $XDG_RUNTIME_DIR -name '*.sock'").output
  }

  @Test func `a daemon that hangs is told from one that is not there`() throws {
    let sandbox = try Sandbox()
    try sandbox.run("fabrik daemon start")
    let process = try sandbox.awaitServers()[0]
    kill(process, SIGSTOP)
    defer { kill(process, SIGKILL) }
    let remedy = "the server does not answer; end it with: kill -KILL \(process)"
    #expect(try sandbox.run("fabrik daemon status").output == remedy + "\n")
    #expect(try sandbox.run("fabrik daemon stop").errors == "fabrik: \(remedy)\n")
    let doctor = try sandbox.run("fabrik doctor")
    #expect(doctor.output.contains("server         \(remedy)\n"))
    #expect(doctor.exitStatus == 1)
  }

  @Test func `the daemon outlives who started it, and builds join it`() throws {
    let sandbox = try Sandbox()
    let start = try sandbox.run("setsid --wait fabrik daemon start")
    let process = try sandbox.awaitServers()[0]
    #expect(start.output == "the daemon was started (process \(process))\n")
    #expect(start.exitStatus == 0 && start.errors == "")
    _ = try sandbox.run("fabrik exec --linger 0 -- true; fabrik exec --linger 0 -- true; sleep 0.3")
    #expect(sandbox.servers() == [process])
    #expect(try sandbox.run("fabrik daemon start").output == "the daemon is running already (process \(process))\n")
    let status = try sandbox.run("fabrik daemon status")
    #expect(status.output.hasPrefix("the daemon is running (process \(process)) for "))
    #expect(status.exitStatus == 0)
  }

  @Test func `stop ends it in good order, and is content when there is none`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("fabrik daemon start")
    let process = try sandbox.awaitServers()[0]
    let stop = try sandbox.run("fabrik daemon stop")
    #expect(stop.output == "the daemon was ended\n")
    #expect(try sockets(sandbox) == "")
    try eventually("it is gone") { !Sandbox.isRunning(process) }
    let again = try sandbox.run("fabrik daemon stop")
    #expect(again.output == "no daemon is running\n")
    #expect(again.exitStatus == 0)
  }

  @Test func `status tells a daemon from a server that builds have started`() throws {
    let sandbox = try Sandbox()
    let none = try sandbox.run("fabrik daemon status")
    #expect(none.exitStatus == 3)
    #expect(none.output == "no daemon is running\n")
    _ = try sandbox.run("fabrik exec --linger 60s -- true")
    let ephemeral = try sandbox.run("fabrik daemon status")
    #expect(ephemeral.exitStatus == 3)
    #expect(ephemeral.output.hasPrefix("no daemon is running; a server that ends after the last build is (process "))
    let json = try sandbox.run("fabrik daemon start > /dev/null; fabrik daemon status --json")
    #expect(json.exitStatus == 0)
    #expect(json.output.hasPrefix(#"{"running":true,"server":{"version":""#))
  }

  @Test func `the server of a build becomes the daemon, and forgets its linger`() throws {
    let sandbox = try Sandbox()
    // Otherwise it would end with the build.
    let start = try sandbox.run("fabrik exec --linger 0 -- fabrik daemon start; fabrik exec --linger 0 -- true")
    let process = try sandbox.awaitServers()[0]
    #expect(start.output == "the server that builds have started stays as the daemon (process \(process))\n")
    #expect(try sandbox.run("fabrik daemon status").output.hasPrefix("the daemon is running (process \(process)) "))
  }

  @Test func `a build that is running when the daemon is told to end keeps its cache`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 3).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run(
      """
      fabrik daemon start > /dev/null; cd p
      fabrik exec --stats json -- sh -c 'touch ready; while ! [ -e go ]; do sleep 0.02; done; make -s' 2> report &
      while ! [ -e ready ]; do sleep 0.02; done
      fabrik daemon stop; fabrik daemon status; echo "$?"; touch go; wait; cat report
      """)
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.first == "the daemon ends after the running build")
    #expect(lines.dropFirst().first?.hasPrefix("no daemon is running; a server") == true)
    #expect(lines.dropFirst(2).first == "3")
    #expect(lines.last?.contains("\"lookups\":6,") == true)
    try sandbox.waitForServersToEnd()
    #expect(try sockets(sandbox) == "")
  }

  @Test func `restart starts another, for the configuration of now`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("fabrik daemon start")
    let first = try sandbox.awaitServers()[0]
    let restart = try sandbox.run("export FABRIK_CACHE_DIR=$HOME/other; fabrik daemon restart; fabrik daemon status")
    #expect(restart.exitStatus == 0)
    try eventually("the first is gone") { !Sandbox.isRunning(first) }
    #expect(try sandbox.awaitServers() != [first])
  }

  @Test func `restart does not take the server from under a build`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      fabrik daemon start > /dev/null
      fabrik exec -- sh -c 'touch ready; while ! [ -e go ]; do sleep 0.02; done' &
      while ! [ -e ready ]; do sleep 0.02; done; fabrik daemon restart; echo "$?"; touch go; wait; fabrik daemon status
      """)
    #expect(outcome.output.hasPrefix("1\nthe daemon is running "))
    #expect(outcome.errors == "fabrik: a build is using the server, which was left as it is; try again afterwards\n")
  }

  @Test(arguments: ["TERM", "INT"])
  func `in the foreground it ends with its service, in good order`(signal: String) throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      fabrik daemon start --foreground > started & service=$!
      while ! [ -s started ]; do sleep 0.02; done; kill -0 $service && echo stays; fabrik daemon status > /dev/null; echo $?
      kill -\(signal) $service; wait $service; echo $?
      """)
    #expect(outcome.output == "stays\n0\n0\n")
    #expect(try sockets(sandbox) == "")
    try sandbox.waitForServersToEnd()
  }

  @Test func `in the foreground it waits for builds once, and not twice`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      fabrik daemon start --foreground > started 2> said & service=$!
      while ! [ -s started ]; do sleep 0.02; done
      fabrik exec -- sh -c 'touch ready; while ! [ -e go ]; do sleep 0.02; done; echo built' 2> /dev/null & build=$!
      while ! [ -e ready ]; do sleep 0.02; done
      kill -TERM $service; while ! [ -s said ]; do sleep 0.02; done; cat said; kill -0 $service && echo waits
      kill -TERM $service; wait $service; echo $?; touch go; wait $build; echo $?
      """)
    #expect(outcome.output == "fabrik: ends after the running build\nwaits\n0\nbuilt\n0\n")
    #expect(try sockets(sandbox) == "")
  }

  @Test func `in the foreground a server that dies is a failure`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      fabrik daemon start --foreground > started & service=$!
      while ! [ -s started ]; do sleep 0.02; done
      kill -KILL $(pgrep -f "fabrik-server --instance $XDG_RUNTIME_DIR/"); wait $service; echo $?
      """)
    #expect(outcome.output == "1\n")
    #expect(outcome.errors.hasSuffix("fabrik: the daemon ended unexpectedly\n"))
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func `a signal ends a server at once, and its sockets go along`(signal: CInt) throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("fabrik daemon start")
    let process = try sandbox.awaitServers()[0]
    kill(process, signal)
    try sandbox.waitForServersToEnd()
    #expect(try sockets(sandbox) == "")
    #expect(try sandbox.run("fabrik exec -- echo fine").errors == "")
  }

  @Test func `a daemon that cannot begin says why`() throws {
    let outcome = try Sandbox().run("FABRIK_CACHE_DIR=/proc/nowhere fabrik daemon start")
    #expect(outcome.exitStatus == 1)
    #expect(
      outcome.errors.hasPrefix("fabrik: the daemon could not be started: the cache in /proc/nowhere cannot be opened"))
  }

  @Test func `a daemon whose runtime directory was removed makes it anew and is found again`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("fabrik daemon start")
    let process = try sandbox.awaitServers()[0]
    let endpoint = try sandbox.run("cat $(find $XDG_RUNTIME_DIR -name http)").output
    // As at logout: all of it goes, and comes back empty at the next login.
    _ = try sandbox.run("rm -rf $XDG_RUNTIME_DIR; mkdir -m 700 $XDG_RUNTIME_DIR")
    try eventually("it is found again") { try sandbox.run("fabrik daemon status").exitStatus == 0 }
    #expect(try sandbox.run("cat $(find $XDG_RUNTIME_DIR -name http)").output == endpoint)
    #expect(try sandbox.run("find $XDG_RUNTIME_DIR/fabrik ! -perm 600 ! -perm 700").output == "")
    try CProject(files: 2).write(to: sandbox, directory: "p")
    let build = try sandbox.run("cd p; fabrik exec --stats json -- make -s")
    #expect(build.errors.contains("\"lookups\":4,"))
    #expect(sandbox.servers() == [process])
    #expect(try sandbox.run("fabrik daemon stop").output == "the daemon was ended\n")
    #expect(try sockets(sandbox) == "")
  }

  @Test func `a daemon whose place was taken leaves the other's sockets alone`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("fabrik daemon start")
    let process = try sandbox.awaitServers()[0]
    _ = try sandbox.run("rm -rf $XDG_RUNTIME_DIR/fabrik; fabrik exec --linger 60s -- true")
    kill(process, SIGTERM)
    try eventually("it is gone") { !Sandbox.isRunning(process) }
    let joined = try sandbox.run("fabrik exec --linger 60s -- true; find $XDG_RUNTIME_DIR -name control.sock | wc -l")
    #expect(joined.output == "1\n")
    _ = try sandbox.awaitServers()
  }
}
