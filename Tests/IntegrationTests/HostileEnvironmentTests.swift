import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// What other users and unusual settings can do to a build.
@Suite(.timeLimit(.minutes(2)))
struct HostileEnvironmentTests {
  @Test func `an OpenSSL configuration without algorithms does not mix entries up`() throws {
    let sandbox = try Sandbox()
    try sandbox.write(
      """
      openssl_conf = init
      [init]
      providers = list
      [list]
      legacy = on
      [on]
      activate = 1
      """, to: "openssl.cnf")
    sandbox.environment["OPENSSL_CONF"] = "\(sandbox.path)/work/openssl.cnf"
    let server = try RunningServer(sandbox)
    let connection = try Connection(port: server.port)
    for number in 1...2 {
      try connection.send(server.head("PUT", RunningServer.path(number), ["Content-Length": "200000"]))
      try connection.send([UInt8](repeating: UInt8(number), count: 200_000))
      _ = try connection.receiveHead()
    }
    for number in 1...2 {
      try connection.send(server.head("GET", RunningServer.path(number)))
      #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
      #expect(try connection.receive(200_000) == [UInt8](repeating: UInt8(number), count: 200_000))
    }
  }

  @Test(arguments: ["#!/bin/sh\nexec /usr/bin/ccache \"$@\"\n", "#!/bin/sh\nexit 0\n", "#!/bin/sh\nexit 1\n"])
  func `a script that is called ccache does not get between make and the compiler`(script: String) throws {
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    try sandbox.write(script, to: "bin/ccache")
    let outcome = try sandbox.run(
      "chmod +x bin/ccache; cd p; PATH=$PWD/../bin:$PATH fabrik exec -- make -s && ./program")
    #expect(outcome.output == "2 files\n")
    #expect(outcome.errors.contains("C and C++ are not cached: "))
  }

  @Test func `a configuration file of another user is not obeyed`() throws {
    let sandbox = try Sandbox()
    guard geteuid() == 0 else { return print("skipped: only root can make another user's file") }
    try sandbox.write("[cache]\ndir = \"/tmp/theirs\"\n[exec]\nstats_file = \"victim\"\n", to: ".fabrik.toml")
    let outcome = try sandbox.run(
      "chown 12345 .fabrik.toml; echo mine > victim; fabrik exec -- cat victim; fabrik cache path; cat victim")
    #expect(outcome.output == "mine\n\(sandbox.path)/home/.cache/fabrik\nmine\n")
    #expect(outcome.errors.contains(".fabrik.toml: belongs to another user; the whole file is ignored"))
    let open = try sandbox.run("chown 0 .fabrik.toml; chmod 666 .fabrik.toml; fabrik cache path")
    #expect(open.output == "\(sandbox.path)/home/.cache/fabrik\n")
  }

  @Test(arguments: [
    "k=1979-05-27T-07:32:00Z", "[# x]", "a = [1, }", "x = \"\u{0}\"", String(repeating: "a.", count: 20_000) + "a=1",
  ])
  func `no text in a configuration file stops a build`(text: String) throws {
    let sandbox = try Sandbox()
    try sandbox.write(text + "\n", to: ".fabrik.toml")
    let outcome = try sandbox.run("fabrik exec -- echo runs")
    #expect(outcome.output == "runs\n")
    #expect(outcome.exitStatus == 0)
  }

  @Test(arguments: [
    "doctor", "env", "daemon status", "why", "why abcdef12", "p2p list", "p2p status", "cache path", "cache stats",
    "config show",
    "config check", "exec -- true",
  ])
  func `each command names a broken configuration file once`(command: String) throws {
    let sandbox = try Sandbox()
    try sandbox.write("[exec]\nnonsense = 1\n", to: ".fabrik.toml")
    let outcome = try sandbox.run("fabrik daemon start; fabrik \(command) 2>&1 >/dev/null; fabrik daemon stop")
    #expect(outcome.output.components(separatedBy: ".fabrik.toml").count == 2, "\(outcome)")
  }

  @Test func `a pipe in a configuration file's place is not waited for`() throws {
    #expect(try Sandbox().run("mkfifo .fabrik.toml; fabrik exec -- echo runs").output == "runs\n")
  }

  @Test func `statistics go into pipes and through links, and replace neither`() throws {
    let outcome = try Sandbox().run(
      """
      mkfifo pipe; cat pipe > from-pipe & fabrik exec --stats-file pipe -- true; wait; [ -p pipe ] && wc -l < from-pipe
      touch target; ln -s target link; fabrik exec --stats-file link -- true; [ -L link ] && wc -l < target
      fabrik exec --stats-file /dev/null -- true; [ -c /dev/null ] && echo still
      """)
    #expect(outcome.output == "1\n1\nstill\n")
  }

  @Test func `a dry run within a build runs nothing either`() throws {
    let outcome = try Sandbox().run("fabrik exec -- sh -c 'fabrik exec --dry-run -- echo ran'")
    #expect(!outcome.output.split(separator: "\n").contains("ran"))
  }

  @Test func `the server has nothing of the first build's environment`() throws {
    let sandbox = try Sandbox()
    sandbox.environment["LD_LIBRARY_PATH"] = "/nowhere"
    let process = try RunningServer(sandbox).process
    #expect(
      try sandbox.run("tr '\\0' '\\n' < /proc/\(process)/environ").output == "PATH=/usr/local/bin:/usr/bin:/bin\n")
  }

  @Test func `few descriptors are enough to start a server`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run("ulimit -n 40; cd p; fabrik exec -- make -s; ./program")
    #expect(outcome.output == "2 files\n")
    #expect(outcome.errors.hasPrefix("fabrik: 0 hits · 4 misses"))
  }

  @Test func `what a killed server was writing is removed by the next`() throws {
    let sandbox = try Sandbox()
    let server = try RunningServer(sandbox)
    let connection = try Connection(port: server.port)
    try connection.send(server.head("PUT", RunningServer.path(1), ["Content-Length": "90000000"]))
    try connection.send([UInt8](repeating: 1, count: 5_000_000))
    try eventually("a temporary file is there") {
      try sandbox.run("ls $HOME/.cache/fabrik/v1/tmp | wc -l").output == "1\n"
    }
    try sandbox.endServers(by: SIGKILL)
    _ = try RunningServer(sandbox)
    try eventually("it is gone") { try sandbox.run("ls $HOME/.cache/fabrik/v1/tmp | wc -l").output == "0\n" }
  }
}
