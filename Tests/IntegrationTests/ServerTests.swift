import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// The background server as launchers see it.
@Suite(.timeLimit(.minutes(5)))
struct ServerTests {
  @Test func `a second exec joins the server of the first`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("fabrik exec --linger 60s -- true")
    let first = try sandbox.awaitServers()
    _ = try sandbox.run("fabrik exec --linger 60s -- true")
    #expect(sandbox.servers() == first)
  }

  @Test func `many that start together share one server`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      "for i in $(seq 20); do fabrik exec --linger 60s -- sh -c 'echo ok' & done; wait")
    #expect(outcome.output == String(repeating: "ok\n", count: 20))
    #expect(outcome.errors == "")
    _ = try sandbox.awaitServers()
  }

  @Test func `who joins a server that takes long to start waits for it`() throws {
    let sandbox = try Sandbox()
    try sandbox.write(
      "#!/bin/sh\nsleep 3\nexec \(Sandbox.binaries)/fabrik-server \"$@\"\n", to: "bin/fabrik-server")
    let outcome = try sandbox.run(
      """
      chmod +x bin/fabrik-server; cp \(Sandbox.binaries)/fabrik bin
      for i in $(seq 8); do bin/fabrik exec --linger 60s -- echo ok & done; wait
      """)
    #expect(outcome.output == String(repeating: "ok\n", count: 8))
    #expect(outcome.errors == "")
    _ = try sandbox.awaitServers()
  }

  @Test func `another configuration has another server`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run(
      "fabrik exec --linger 60s -- true; FABRIK_CACHE_DIR=$HOME/other fabrik exec --linger 60s -- true")
    _ = try sandbox.awaitServers(2)
  }

  @Test(arguments: ["0", "300ms"])
  func `the server ends after its linger and takes its sockets along`(linger: String) throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("fabrik exec --linger \(linger) -- true")
    try sandbox.waitForServersToEnd()
    let left = try sandbox.run("find $XDG_RUNTIME_DIR -name '*.sock'")
    #expect(left.output == "")
  }

  @Test func `the linger counts from the end of the last transfer`() throws {
    let sandbox = try Sandbox()
    let server = try RunningServer(sandbox)
    let connection = try Connection(port: server.port)
    _ = try sandbox.run("fabrik exec --linger 4s -- true")
    try connection.send(server.head("PUT", RunningServer.path(1), ["Content-Length": "3"]))
    // The last lease's linger passes in the middle of this.
    usleep(4_500_000)
    let end = ContinuousClock.now
    try connection.send("abc")
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
    try sandbox.waitForServersToEnd()
    #expect(ContinuousClock.now - end >= .seconds(4))
  }

  @Test func `in CI the server does not linger`() throws {
    let sandbox = try Sandbox()
    sandbox.environment["FABRIK_LINGER"] = nil
    _ = try sandbox.run("fabrik exec -- true", environment: ["CI": "true"])
    try sandbox.waitForServersToEnd()
  }

  @Test func `the server stays while a lease is held`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      fabrik exec --linger 60s -- sh -c 'touch ready; while ! [ -e stop ]; do sleep 0.02; done' &
      while ! [ -e ready ]; do sleep 0.02; done
      fabrik exec --linger 0 -- true; fabrik exec --linger 0 -- true
      sleep 0.3; pgrep -c -f "fabrik-server --instance $XDG_RUNTIME_DIR/"; touch stop; wait
      """)
    #expect(outcome.output == "1\n")
  }

  @Test func `a launcher that is killed gives up its lease`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run(
      """
      fabrik exec --linger 0 -- sh -c 'touch ready; exec sleep 60' & 
      while ! [ -e ready ]; do sleep 0.02; done; kill -KILL $!; wait $! 2>/dev/null
      """)
    try sandbox.waitForServersToEnd()
  }

  @Test func `commands that end before the server is up leave no server behind`() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run("for i in $(seq 40); do fabrik exec --linger 0 -- true; done")
    try sandbox.waitForServersToEnd()
  }

  @Test func `a server killed in the middle of a build does not break it`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 12).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run(
      """
      cd p; fabrik exec --linger 60s -- make -j2 > log 2> errors &
      while ! [ -e f3.o ]; do sleep 0.01; done
      kill -KILL $(pgrep -f "fabrik-server --instance $XDG_RUNTIME_DIR/"); wait $!; echo "status $?"; ./program
      """)
    #expect(outcome.output == "status 0\n12 files\n")
    let lines = try sandbox.run("cat p/errors").output.split(separator: "\n")
    #expect(lines.first == "fabrik: the cache server was lost and started again; what it had counted is missing here")
    #expect(lines.count <= 2)
  }

  /// Some tools take a cache that they cannot reach for a failure, and try again for a while.
  @Test func `a server killed in the middle of a build is replaced at the same address`() throws {
    let sandbox = try Sandbox()
    try sandbox.write(
      """
      import os, signal, sys, time, urllib.request
      os.kill(int(sys.argv[1]), signal.SIGKILL)
      headers = {"Authorization": "Bearer " + os.environ["TURBO_TOKEN"]}
      url = os.environ["TURBO_API"] + "/v8/artifacts/abc"
      deadline = time.monotonic() + 60
      while time.monotonic() < deadline:
          try:
              urllib.request.urlopen(urllib.request.Request(url, b"archive", headers, method="PUT")).read()
              print(urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read())
              break
          except OSError:
              time.sleep(0.01)
      """, to: "tool.py")
    let server = try RunningServer(sandbox)
    let outcome = try sandbox.run("fabrik exec --linger 60s -- python3 tool.py \(server.process)")
    #expect(outcome.output == "b'archive'\n")
    #expect(outcome.errors.contains("fabrik: 1 hit (1 local) · 0 misses"))
    _ = try sandbox.awaitServers()
  }

  @Test func `a server that is lost again and again is given up, and the build is not`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      fabrik exec --linger 60s -- sh -c '
        last=; for turn in 1 2 3 4; do
          # One that was not ready yet would be given up for another reason.
          until server=$(fabrik daemon status | sed -n "s/.*(process \\([0-9]*\\)).*/\\1/p") &&
            [ -n "$server" ] && [ "$server" != "$last" ]; do sleep 0.02; done
          kill -KILL $server; last=$server
        done; echo done'; echo "status $?"
      """)
    #expect(outcome.output == "done\nstatus 0\n")
    #expect(outcome.errors == "fabrik: the cache server is gone; what was not cached was built\n")
    try sandbox.waitForServersToEnd()
  }

  @Test func `after a server was killed the next exec starts another`() throws {
    let sandbox = try Sandbox()
    let server = try RunningServer(sandbox)
    let outcome = try sandbox.run("kill -KILL \(server.process); fabrik exec --linger 60s -- echo fine")
    #expect(outcome.output == "fine\n")
    #expect(outcome.errors == "")
    #expect(try sandbox.awaitServers() != [server.process])
  }

  @Test func `a server that hangs is left alone, and the command runs`() throws {
    let sandbox = try Sandbox()
    let server = try RunningServer(sandbox)
    let outcome = try sandbox.run(
      """
      kill -STOP \(server.process); while ! grep -q 'State:.T' /proc/\(server.process)/status; do sleep 0.01; done
      fabrik exec -- echo runs
      """)
    #expect(outcome.output == "runs\n")
    #expect(outcome.errors == "fabrik: no cache for this build: the running server does not answer\n")
  }

  @Test func `a cache directory that cannot be made costs one line`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      FABRIK_CACHE_DIR=/proc/nowhere fabrik exec -- sh -c '
        until cat $XDG_RUNTIME_DIR/fabrik/*/server.log 2>/dev/null | grep -q .; do sleep 0.02; done
        while grep -q "$XDG_RUNTIME_DIR/fabrik/.*/control.sock" /proc/net/unix; do sleep 0.02; done; echo runs'
      """)
    #expect(outcome.output == "runs\n")
    #expect(outcome.errors.hasPrefix("fabrik: the build was not cached: the cache in /proc/nowhere cannot be opened: "))
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }

  @Test func `a runtime directory open to others is refused`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      "mkdir -m 755 $XDG_RUNTIME_DIR/fabrik; fabrik exec -- true; find $XDG_RUNTIME_DIR -name '*.sock'")
    #expect(outcome.exitStatus == 0)
    #expect(outcome.output == "")
  }

  @Test func `a nested exec joins the outer one and is counted once`() throws {
    let sandbox = try Sandbox()
    sandbox.environment["FABRIK_LINGER"] = "60s"
    try CProject(files: 3).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run(
      "cd p; fabrik exec -- fabrik exec -- make -s; fabrik exec --stats json -- sh -c 'make -s clean; fabrik exec -- make -s'"
    )
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first == "fabrik: 0 hits · 6 misses · \(lines[0].split(separator: " · ")[2])")
    #expect(lines.last?.contains("\"lookups\":6,\"hits\":{\"local\":6,") == true)
    _ = try sandbox.awaitServers()
  }

  @Test func `what a finished exec left in the environment is set anew`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    // A shell that outlives the build it was started by, as in a terminal multiplexer.
    let outcome = try sandbox.run(
      """
      cd p
      fabrik exec --linger 0 -- sh -c '(while ! [ -e go ]; do sleep 0.02; done; fabrik exec --stats json -- make -s 2> report; touch done) > /dev/null 2>&1 &'
      while grep -q "$XDG_RUNTIME_DIR/fabrik/" /proc/net/unix; do sleep 0.02; done
      touch go; while ! [ -e done ]; do sleep 0.02; done; cat report
      """)
    #expect(outcome.output.contains("\"lookups\":4,"))
  }

  @Test func `two builds at once are counted apart`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 4).write(to: sandbox, directory: "p")
    try CProject(files: 7).write(to: sandbox, directory: "q")
    _ = try sandbox.run(
      """
      (cd p; fabrik exec --stats-file ../p.json -- sh -c 'touch ../p.ready; while ! [ -e ../q.ready ]; do :; done; make -s') 2>/dev/null &
      (cd q; fabrik exec --stats-file ../q.json -- sh -c 'touch ../q.ready; while ! [ -e ../p.ready ]; do :; done; make -s') 2>/dev/null &
      wait
      """)
    #expect(try sandbox.run("cat p.json").output.contains("\"lookups\":8,"))
    #expect(try sandbox.run("cat q.json").output.contains("\"lookups\":14,"))
  }
}
