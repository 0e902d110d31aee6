import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// What the user says about peers, and that the team's secret stays one.
@Suite(.timeLimit(.minutes(3)))
struct PeerCommandTests {
  private static let secret = "k9Zq7Tr2mVx4Lp8Wd3HsN6bJ"
  private static let desk = "5f0c1a2b000000000000000000000001"
  private static let laptop = "5f0c1a2c000000000000000000000002"

  /// A machine that has met two others.
  static func sandboxWithPeers() throws -> Sandbox {
    let sandbox = try Sandbox()
    _ = try sandbox.run(
      """
      peers=$HOME/.local/share/fabrik/peers; mkdir -p $peers/\(Self.desk) $peers/\(Self.laptop)
      echo 'seen name=desk address=10.0.0.2:4711 answer=allowed fetched=30 fetched.bytes=4000000 last=1' \
        > $peers/\(Self.desk)/seen
      echo 'consent answer=always since=1' > $peers/\(Self.desk)/consent
      echo 'seen name=%1b%5b31mlap%e2%80%aetop address=%5bfe80::1%25eth0%5d:9 answer=pending' > $peers/\(Self.laptop)/seen
      echo "consent answer=pending since=$(date +%s)000" > $peers/\(Self.laptop)/consent
      """)
    return sandbox
  }

  @Test func `a file with the secret that others can read is remarked on`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("[p2p]\nenabled = true\nsecret = \"k9Zq7Tr2mVx4Lp8Wd3HsYb6N\"\n", to: ".fabrik.toml")
    let remark = "\(sandbox.path)/work/.fabrik.toml: others can read the secret in it; run: chmod 600 "
    let open = try sandbox.run("chmod 644 .fabrik.toml; fabrik config check")
    #expect(open.errors.contains(remark))
    #expect(open.exitStatus == 0)
    #expect(try sandbox.run("fabrik doctor").output.contains(remark))
    #expect(try sandbox.run("chmod 600 .fabrik.toml; fabrik config check").errors == "")
  }

  @Test func `peers are listed without a server, in columns and without what a terminal could obey`() throws {
    let sandbox = try Self.sandboxWithPeers()
    let outcome = try sandbox.run("fabrik p2p list")
    #expect(
      outcome.output == """
        NAME        ID        ADDRESS           LATENCY  FETCHED       SERVED  IT SAYS  YOU SAY
        [31mlaptop  5f0c1a2c  [fe80::1%eth0]:9  away     -             -       pending  pending
        desk        5f0c1a2b  10.0.0.2:4711     away     30 (4.00 MB)  -       allowed  always

        """)
    #expect(sandbox.servers().isEmpty)
    let json = try sandbox.run(
      "fabrik p2p list --json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)[\"peers\"]))'")
    #expect(json.output == "2\n")
  }

  @Test func `where no peer was ever met, the list says why`() throws {
    #expect(try Sandbox().run("fabrik p2p list").output == "no peers: p2p is off\n")
    let on = try Sandbox().run("FABRIK_P2P_ENABLED=1 FABRIK_P2P_SECRET=\(Self.secret) fabrik p2p list")
    #expect(on.output == "no peers have been met yet\n")
  }

  @Test func `who waits is shown until there is an answer`() throws {
    let sandbox = try Self.sandboxWithPeers()
    let pending = try sandbox.run("fabrik p2p pending")
    #expect(pending.output.contains("5f0c1a2c  [fe80::1%eth0]:9"))
    #expect(!pending.output.contains("5f0c1a2b"))
    let approve = try sandbox.run("fabrik p2p approve 5f0c1a2c; fabrik p2p pending; fabrik p2p deny desk")
    #expect(
      approve.output
        == "[31mlaptop (5f0c1a2c) may fetch from this machine\nnobody is waiting\n"
        + "desk (5f0c1a2b) may not fetch from this machine\n")
    let list = try sandbox.run("fabrik p2p list").output
    #expect(list.contains("pending  always") && list.contains("allowed  denied"))
    let file = "$HOME/.local/share/fabrik/peers/\(Self.desk)/consent"
    #expect(try sandbox.run("stat -c %a \(file); cut -d ' ' -f 2 \(file)").output == "600\nanswer=denied\n")
    let forget = try sandbox.run("fabrik p2p forget \(Self.desk); fabrik p2p list; ls $HOME/.local/share/fabrik/peers")
    #expect(forget.output.hasPrefix("desk (5f0c1a2b) was forgotten\n"))
    #expect(forget.output.hasSuffix("\n\(Self.laptop)\n"))
  }

  @Test func `a word that is not clear, or nobody's, is answered with the candidates`() throws {
    let sandbox = try Self.sandboxWithPeers()
    let unclear = try sandbox.run("fabrik p2p approve 5f0c1a2")
    #expect(unclear.exitStatus == 1)
    #expect(
      unclear.errors
        == "fabrik: '5f0c1a2' may be any of: [31mlaptop (5f0c1a2c), desk (5f0c1a2b); give more of the identifier\n")
    let unknown = try sandbox.run("fabrik p2p deny tablet")
    #expect(
      unknown.errors == "fabrik: there is no peer 'tablet'; known are: [31mlaptop (5f0c1a2c), desk (5f0c1a2b)\n")
  }

  @Test func `the status says what is missing`() throws {
    let sandbox = try Sandbox()
    #expect(try sandbox.run("fabrik p2p status").output.hasSuffix("  → set p2p.enabled = true to take part\n"))
    sandbox.environment["FABRIK_P2P_ENABLED"] = "true"
    let noSecret = try sandbox.run("fabrik p2p status")
    #expect(
      noSecret.output.hasSuffix("→ set p2p.secret, the same on every machine; make one with: fabrik p2p secret\n"))
    #expect(noSecret.errors.contains("environment variable FABRIK_P2P_ENABLED: p2p.enabled needs a p2p.secret"))
    sandbox.environment["FABRIK_P2P_SECRET"] = Self.secret
    let noServer = try sandbox.run("fabrik p2p status")
    #expect(noServer.output.hasPrefix("peers      on, consent notify-once\n"))
    #expect(noServer.output.hasSuffix("always, with: fabrik daemon start\n"))
    #expect(try sandbox.run("fabrik daemon start; fabrik p2p status").output.contains("\nserver     daemon, process "))
  }

  @Test func `a secret is printed and nothing else, another each time`() throws {
    let outcome = try Sandbox().run("fabrik p2p secret; fabrik p2p secret")
    let secrets = outcome.output.split(separator: "\n")
    #expect(secrets.count == 2 && secrets[0] != secrets[1])
    #expect(secrets.allSatisfy { $0.wholeMatch(of: /[A-Za-z0-9_-]{43}/) != nil })
    #expect(outcome.errors == "")
  }

  @Test func `a weak secret is refused with its place, and the build runs`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("[p2p]\nenabled = true\n  secret = \"hunter2-hunter2-hunter2\"\n", to: ".fabrik.toml")
    let outcome = try sandbox.run("fabrik exec -- echo runs; fabrik config check; echo $?")
    #expect(outcome.output == "runs\n125\n")
    #expect(outcome.errors.contains("/.fabrik.toml:3:3: p2p.secret is easy to guess"))
    #expect(!outcome.errors.contains("hunter2"))
    #expect(try sandbox.run("fabrik exec --config .fabrik.toml -- echo runs").exitStatus == 125)
  }

  @Test func `the secret is in no process's arguments or environment, and nowhere it is shown`() throws {
    let sandbox = try Sandbox()
    // Other tests have theirs in the environment, and this script would be a process with it.
    let secret = String(Self.secret.reversed())
    try sandbox.write("[p2p]\nenabled = true\nsecret = \"\(secret)\"\n", to: ".fabrik.toml")
    try sandbox.write(secret, to: "pattern")
    let outcome = try sandbox.run(
      """
      fabrik daemon start > said 2>&1
      fabrik exec -v -- sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null > processes' 2>> said
      fabrik config show >> said; fabrik config show --json >> said; fabrik p2p status >> said
      fabrik exec --dry-run -- make >> said; cat /proc/net/unix >> said
      tr '\\0' '\\n' < processes | grep -q "^$XDG_RUNTIME_DIR/fabrik/" && echo seen
      cp pattern $HOME/control
      # The server removes a build's files meanwhile.
      find processes said $XDG_RUNTIME_DIR $HOME -type f -exec grep -a -l -f pattern {} + 2> /dev/null
      """)
    #expect(outcome.output == "seen\n\(sandbox.path)/home/control\n")
    #expect(outcome.errors == "")
    #expect(try sandbox.run("fabrik config show").output.contains("p2p.secret = \"<redacted>\""))
  }

  @Test func `what is said takes effect at once, and a build may do without peers`() throws {
    let (desk, laptop) = (try Sandbox(), try Sandbox())
    for (machine, name) in [(desk, "desk"), (laptop, "laptop")] {
      machine.environment["FABRIK_P2P_ENABLED"] = "1"
      machine.environment["FABRIK_P2P_SECRET"] = String(desk.path.reversed()) + Self.secret
      machine.environment["FABRIK_P2P_NAME"] = name
      try CProject(files: 3).write(to: machine, directory: "p")
    }
    _ = try desk.run("fabrik daemon start; cd p; fabrik exec -- make -s")
    let build = "cd p; rm -f *.o; fabrik exec --linger 60s --stats json"
    func waitForDesk(_ sign: String) throws {
      try eventually("the desk shows \(sign)") { try laptop.run("fabrik p2p list --json").output.contains(sign) }
    }
    _ = try laptop.run("fabrik daemon start")
    try waitForDesk("\"answer\":\"pending\"")
    let refused = try laptop.run("\(build) -- make -s").errors
    #expect(refused.contains("\"hits\":{\"local\":0,\"peers\":0,") && refused.contains("\"misses\":6,"))
    let pending = try desk.run("fabrik p2p pending; fabrik p2p approve laptop; fabrik p2p list")
    #expect(pending.output.contains("\nlaptop (") && pending.output.contains("  always\n"))
    // A refusal is remembered for a while by who was refused.
    _ = try laptop.run("fabrik daemon stop; rm -rf $HOME/.cache/fabrik; fabrik daemon start")
    // Six objects, and the plan of the next build.
    try waitForDesk("\"entries\":7,")
    let alone = try laptop.run("\(build) --no-peers -- sh -c 'gcc -c f1.c'").errors
    #expect(alone.contains("\"peers\":0,") && alone.contains("\"misses\":2,"))
    let fetched = try laptop.run("\(build) -- make -s").errors
    #expect(fetched.contains("\"peers\":6,") && fetched.contains("\"peers\":[{\"name\":\"desk\",\"id\":\""))
    let denied = try desk.run("fabrik p2p deny laptop; fabrik p2p list")
    #expect(denied.output.contains("  denied\n"))
  }

  @Test func `with another secret or none, builds have another server; without peers, the same`() throws {
    let sandbox = try Sandbox()
    let run = "fabrik exec --linger 60s"
    _ = try sandbox.run(
      """
      \(run) -- true; export FABRIK_P2P_ENABLED=1 FABRIK_P2P_SECRET=\(Self.secret)
      \(run) -- true; \(run) --no-peers -- true; FABRIK_P2P_SECRET=\(Self.secret)X \(run) -- true
      """)
    _ = try sandbox.awaitServers(3)
  }

  @Test(arguments: ["", "--no-peers"])
  func `the lease says that a build does without peers`(flag: String) throws {
    let sandbox = try Sandbox()
    // A server that hangs up after the first message, in the place of the real one.
    let outcome = try sandbox.run(
      """
      fabrik exec --linger 0 -- true; place=$(dirname $(find $XDG_RUNTIME_DIR -name http))
      while [ -e $place/control.sock ]; do sleep 0.02; done
      python3 -c '
      import socket, sys
      listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(); open("ready", "w")
      print(listener.accept()[0].recv(4096).decode())' $place/control.sock > lease & python=$!
      while ! [ -e ready ]; do sleep 0.02; done; fabrik exec --linger 0 \(flag) -- true; wait $python; cat lease
      """)
    #expect(outcome.output.hasPrefix("lease command=true directory=\(sandbox.path)/work id="))
    #expect(outcome.output.contains(" peers=0 ") == !flag.isEmpty)
  }
}
