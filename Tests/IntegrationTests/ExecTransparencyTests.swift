import Glibc
import TestSupport
import Testing

/// What the command is given, and what it leaves, must be the same as without Fabrik: each script is run both ways and
/// the two outcomes are compared.
@Suite(.timeLimit(.minutes(5)))
struct ExecTransparencyTests {
  /// Scripts in which `$X` stands for nothing or for `fabrik exec --`.
  static let scripts: [(what: String, script: String)] = [
    ("standard input, to its end", "printf 'a\\nb' | $X cat -A"),
    ("a closed standard input", "$X ls -l /proc/self/fd/0 <&- 2>&1 | wc -l"),
    ("a closed standard output", "$X sh -c 'echo x; echo $? >&2' >&-"),
    ("a closed standard error", "$X sh -c 'echo x >&2; echo $?' 2>&-"),
    ("all streams closed", "$X sh -c 'touch ran' <&- >&- 2>&-; ls"),
    ("arguments that are not UTF-8", "$X printf '%s|' a $'\\xff\\xfe' '' \"b'c\" | od -c"),
    ("variables that are not UTF-8", "export ODD=$'\\xff\\xfe'; $X printenv ODD | od -c"),
    ("the name it was called by", "$X sh -c 'tr \"\\0\" \" \" < /proc/self/cmdline'"),
    ("the mask for new files", "umask 0137; $X touch f; stat -c %a f; umask 0002; $X touch g; stat -c %a g"),
    ("limits", "ulimit -n 77 -t 1000 -c 0; $X sh -c 'ulimit -a'"),
    ("priority", "nice -n 7 $X nice"),
    ("working directory", "mkdir -p a/b; cd a/b; $X sh -c 'pwd | sed s,.*/a,a,'"),
    ("a working directory that is gone", "mkdir a; cd a; rmdir ../a; $X sh -c 'echo runs; exit 4'; echo $?"),
    (
      "open descriptors",
      "exec 7</dev/null 9>f; $X sh -c 'for n in 3 4 5 6 7 8 9 10 11; do [ -e /proc/$$/fd/$n ] && echo $n; done'"
    ),
    ("process substitution", "$X cat <(echo one) <(echo two)"),
    ("ignored signals", "trap '' PIPE INT USR2; $X grep -E 'Sig(Ign|Blk)' /proc/self/status"),
    ("an ignored SIGCHLD", "trap '' CHLD; $X grep SigIgn /proc/self/status; $X sh -c 'exit 6'; echo $?"),
    ("an alarm set before", "{ perl -e 'alarm 1; exec @ARGV' $X sleep 30; } 2> /dev/null; echo $?"),
    ("a pipe whose reader is gone", "$X yes | head -n 1; echo ${PIPESTATUS[0]}"),
    ("a reader that stops early", "yes | $X head -n 2; echo ${PIPESTATUS[@]}"),
    (
      "a command's own process group signal",
      "setsid --wait $X bash -c 'n=0; trap \"n=\\$((n+1))\" TERM; kill 0; sleep 0.1; echo $n'"
    ),
    (
      "waiting for any child",
      "$X perl -e '$p = fork // die; exit 5 unless $p; $n = 0; while (wait() > 0) { $n++ } print $n'"
    ),
    ("a timeout", "timeout 0.2 $X sleep 30; echo $?"),
    ("a timeout in the foreground", "timeout --foreground 0.2 $X sleep 30; echo $?"),
    (
      "the jobserver of an outer make",
      """
      printf 'all:\\n\\t+@$(X) $(MAKE) --no-print-directory -f inner.mk\\n' > outer.mk
      printf 'all: a b\\na b: ; @echo $@\\n' > inner.mk
      X="$X" make -j2 -f outer.mk 2>&1 | sort
      """
    ),
  ]

  @Test(arguments: scripts)
  func `is passed on as it is`(what: String, script: String) throws {
    let direct = try Sandbox().run(script, environment: ["X": ""])
    let wrapped = try Sandbox().run(script, environment: ["X": "fabrik exec --"])
    #expect(wrapped.output == direct.output, "\(what)")
    #expect(wrapped.errors == direct.errors, "\(what)")
    #expect(wrapped.status == direct.status, "\(what)")
  }

  @Test func `a signal to fabrik alone reaches the command once`() throws {
    let script = """
      fabrik exec -- bash -c 'trap "echo heard; touch heard" TERM; trap "touch stop" USR1; touch ready
        while ! [ -e stop ]; do sleep 0.02; done; exit 8' &
      while ! [ -e ready ]; do sleep 0.02; done
      kill -TERM $!; while ! [ -e heard ]; do sleep 0.02; done; kill -USR1 $!; wait $!; echo $?
      """
    #expect(try Sandbox().run(script).output == "heard\n8\n")
  }

  @Test(arguments: [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGKILL])
  func `a signal that kills fabrik kills the command`(signal: CInt) throws {
    let sandbox = try Sandbox()
    // Job control, so that a job in the background does not ignore interrupts.
    let outcome = try sandbox.run(
      """
      set -m; ulimit -c 0
      fabrik exec -- sh -c 'echo $$ > pid; exec sleep 60' &
      while ! [ -s pid ]; do sleep 0.02; done
      kill -\(signal) $!; wait $!; echo $?
      """)
    #expect(outcome.output.hasSuffix("\(128 + signal)\n"))
    try eventually("the command is gone") {
      try sandbox.run("kill -0 $(cat pid) 2>/dev/null").exitStatus != 0
    }
  }

  @Test func `only what a dry run shows differs in the environment`() throws {
    let sandbox = try Sandbox()
    let shown = try sandbox.run("fabrik exec --dry-run -- env").output.split(separator: "\n")
    let outcome = try sandbox.run(
      "env | grep -v ^_= | sort > a; fabrik exec -- env | grep -v ^_= | sort > b; diff a b | grep '^[<>]'")
    let names = Set(outcome.output.split(separator: "\n").map { $0.dropFirst(2).prefix { $0 != "=" } })
    let known = Set(shown.filter { !$0.hasPrefix("#") }.map { $0.prefix { $0 != "=" } })
    #expect(known.contains("CCACHE_REMOTE_STORAGE"))
    #expect(names.subtracting(known) == ["FABRIK_SESSION", "FABRIK_INJECTED"])
  }

  /// The server lingers for longer than the test may take: whatever kept a pipe open would make these hang.
  @Test(arguments: [
    "x=$(fabrik exec --linger 300s -- echo out); echo \"$x\"",
    "fabrik exec --linger 300s -- echo out | cat",
    "fabrik exec --linger 300s -- echo out 2>&1 | cat",
    "cat <(fabrik exec --linger 300s -- echo out)",
    "exec 8> >(cat > late); fabrik exec --linger 300s -- echo out; exec 8>&-; wait $!",
  ])
  func `nothing waits for the server that lingers`(script: String) throws {
    #expect(try Sandbox().run(script).output == "out\n")
  }

  @Test func `what the command closes is closed`() throws {
    let outcome = try Sandbox().run(
      """
      fabrik exec -- sh -c 'echo out; exec >&-; while ! [ -e closed ]; do sleep 0.02; done' | { cat; touch closed; }
      """)
    #expect(outcome.output == "out\n")
  }

  @Test func `a summary that nobody reads does not change the status`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("int x;\n", to: "x.c")
    let outcome = try sandbox.run(
      "(fabrik exec -- sh -c 'gcc -c x.c; exec 2>&-; exit 7'; echo $? > status) 2>&1 | true; cat status")
    #expect(outcome.output == "7\n")
  }
}
