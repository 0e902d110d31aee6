import Foundation
import SystemSupport
import Testing

/// `fabrik env`: a shell that took its output finds the cache by itself.
@Suite(.timeLimit(.minutes(2)))
struct EnvironmentCommandTests {
  @Test func `without a server it says what to do`() throws {
    let outcome = try Sandbox().run("fabrik env")
    #expect(outcome.exitStatus == 1)
    #expect(outcome.output == "")
    #expect(outcome.errors == "fabrik: there is no server yet; start one that stays: fabrik daemon start\n")
  }

  @Test(arguments: [
    ("bash", #"eval "$(fabrik env)""#), ("bash", #"eval "$(fabrik env --shell bash)""#),
    ("zsh", #"eval "$(fabrik env --shell zsh)""#), ("fish", "fabrik env --shell fish | source"),
  ])
  func `a shell takes it over, and what it compiles is cached`(shell: String, line: String) throws {
    let sandbox = try Sandbox()
    try sandbox.write("int it_is_new;\n", to: "it's here/x.c")
    let script = "fabrik daemon start; \(line); cc -c \"it's here/x.c\"; rm x.o; fabrik exec -- cc -c \"it's here/x.c\""
    let outcome = try sandbox.run([shell, "-c", script])
    #expect(outcome.exitStatus == 0)
    #expect(outcome.errors.contains("fabrik: 2 hits (2 local) · 0 misses"), "\(outcome)")
    try sandbox.run("fabrik daemon stop")
  }

  @Test func `values with quotes and backslashes survive`() throws {
    let sandbox = try Sandbox()
    try sandbox.run("fabrik daemon start")
    sandbox.environment["PATH"]! += #":/it's/a \ back"slash"#
    let json = try sandbox.run("fabrik env --shell json")
    let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    let expected = try #require(object["PATH"] as? String)
    #expect(expected.hasSuffix(#":/it's/a \ back"slash"#))
    let bash = try sandbox.run(["bash", "-c", #"eval "$(fabrik env --shell bash)"; printf %s "$PATH""#])
    #expect(bash.output == expected)
    let fish = try sandbox.run(["fish", "-c", "fabrik env --shell fish | source; string join : $PATH"])
    #expect(fish.output == expected + "\n")
    try sandbox.run("fabrik daemon stop")
  }

  @Test func `a build below finds what the user had set`() throws {
    let sandbox = try Sandbox()
    try sandbox.run("mkdir ../gradle; touch build.gradle; fabrik daemon start")
    let script = """
      export GRADLE_USER_HOME=$HOME/../gradle GRADLE_OPTS=-Xmx2g
      eval "$(fabrik env --shell bash)"; eval "$(fabrik env --shell bash)"
      echo "$GRADLE_OPTS"; fabrik exec --tool gradle=off -- sh -c 'echo "$GRADLE_OPTS $GRADLE_USER_HOME"'
      """
    let outcome = try sandbox.run(script)
    #expect(outcome.output == "-Xmx2g -Dorg.gradle.caching=true\n-Xmx2g \(sandbox.path)/home/../gradle\n", "\(outcome)")
    try sandbox.run("fabrik daemon stop")
  }

  @Test func `the doctor and a dry run write nothing for builds`() throws {
    let sandbox = try Sandbox()
    try sandbox.run("mkdir $HOME/.gradle; touch build.gradle")
    for command in ["fabrik doctor", "fabrik exec --dry-run -- make", "fabrik exec --dry-run -- gradle build"] {
      #expect(try sandbox.run(command).exitStatus == 0)
    }
    let outcome = try sandbox.run("find $HOME/.gradle $XDG_RUNTIME_DIR -type f -o -mindepth 1 -path '*gradle/*'")
    #expect(!outcome.output.contains("gradle"), "\(outcome)")
    #expect(!outcome.output.contains("bazelrc"), "\(outcome)")
    #expect(try sandbox.run("find $HOME/.local $XDG_RUNTIME_DIR -name links").output == "")
  }

  @Test func `with FABRIK=off a command runs as if Fabrik were not there, also below a shim or in a build`() throws {
    let sandbox = try Sandbox()
    let plain = try sandbox.run("env | grep -v ^_= | sort", environment: ["FABRIK": "off"])
    let outcome = try sandbox.run("fabrik exec -- env | grep -v ^_= | sort", environment: ["FABRIK": "off"])
    #expect(outcome.output == plain.output)
    #expect(outcome.errors == "")
    #expect(sandbox.servers().isEmpty)
    let within = try sandbox.run("fabrik exec -- sh -c 'FABRIK=off fabrik exec -- sh -c \"exit 7\"'")
    #expect(within.exitStatus == 7)
  }

  @Test func `what is meant for the server does not go to a proxy`() throws {
    let sandbox = try Sandbox()
    let variables = "fabrik exec -- sh -c 'echo $no_proxy $NO_PROXY'"
    #expect(try sandbox.run(variables).output == "\n")
    let proxy = "http://proxy:3128"
    #expect(try sandbox.run(variables, environment: ["http_proxy": proxy]).output == "127.0.0.1 127.0.0.1\n")
    #expect(
      try sandbox.run(variables, environment: ["http_proxy": proxy, "no_proxy": "localhost,.example"]).output
        == "localhost,.example,127.0.0.1 localhost,.example,127.0.0.1\n")
    #expect(
      try sandbox.run(
        "fabrik exec -- sh -c 'echo \"$no_proxy $NO_PROXY\"'",
        environment: ["http_proxy": proxy, "no_proxy": "*", "NO_PROXY": "*"]
      ).output == "* *\n")
  }

  @Test func `a library is preloaded once, for however many tools`() throws {
    let outcome = try Sandbox().run("fabrik exec --dry-run -- make")
    let preloaded = outcome.output.split(separator: "\n").filter { $0.hasPrefix("LD_PRELOAD=") }
    #expect(preloaded.count == 1, "\(outcome)")
    #expect(preloaded.first?.components(separatedBy: "libfabrik-exec.so").count == 2, "\(outcome)")
  }

  @Test func `the doctor says how each tool is`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run("fabrik doctor", environment: ["TURBO_TOKEN": "mine"])
    #expect(outcome.exitStatus == 0)
    #expect(outcome.output.contains("ccache"))
    #expect(outcome.output.contains("sets CCACHE_REMOTE_STORAGE, "))
    #expect(outcome.output.contains("left alone, TURBO_TOKEN is set"))
    let json = try sandbox.run("fabrik doctor --json")
    let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    let tools = try #require(object["tools"] as? [[String: Any]])
    #expect(tools.first?["name"] as? String == "ccache")
    #expect(tools.first?["state"] as? String == "wired")
  }

  @Test func `a secret that is missing is a mistake the doctor reports`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("[p2p]\nenabled = true\n", to: ".fabrik.toml")
    let outcome = try sandbox.run("fabrik doctor")
    #expect(outcome.exitStatus == 1)
    #expect(outcome.output.contains("missing: make one with 'fabrik p2p secret'"))
  }
}
