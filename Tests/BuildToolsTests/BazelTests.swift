import BuildTools
import SystemPackage
import SystemSupport
import Testing

@Suite("Bazel")
struct BazelTests {
  private static func host(_ files: [FilePath: String] = [:], version: String = "bazel 7.1.0") -> FakeToolHost {
    var host = FakeToolHost()
    host.programs["bazel"] = "/usr/bin/bazel"
    host.versions["/usr/bin/bazel"] = version
    host.files = ["/src/project/WORKSPACE": ""].merging(files) { $1 }
    return host
  }

  private static func context(
    _ command: [String], _ files: [FilePath: String] = [:], version: String = "bazel 7.1.0",
    variables: KeyValuePairs<String, String> = [:]
  ) -> BuildContext {
    let host = host(files, version: version)
    let context = host.context(variables, command: command)
    return BuildContext(
      command: command, environment: context.environment, endpoints: context.endpoints, projectRoot: "/src/project",
      scratch: "/scratch", buildDirectory: "/scratch/builds/1", fabrik: "/usr/bin/fabrik", host: host,
      workingDirectory: "/src/project/sub")
  }

  private static func state(
    _ command: [String], _ files: [FilePath: String] = [:], version: String = "bazel 7.1.0",
    variables: KeyValuePairs<String, String> = [:]
  ) -> Wiring.State {
    Bazel.wire(context(command, files, version: version, variables: variables)).state
  }

  /// The text of the rc file that a call gets.
  private static func rc(
    _ command: [String] = ["bazel", "build"], _ files: [FilePath: String] = [:], version: String = "bazel 7.1.0",
    variables: KeyValuePairs<String, String> = [:]
  ) throws -> String {
    let wiring = Bazel.wire(context(command, files, version: version, variables: variables))
    let argument = try #require(wiring.arguments.first)
    #expect(wiring.arguments.count == 1 && argument.hasPrefix("--bazelrc=/scratch/builds/1/"))
    return try #require(wiring.files.first { argument == "--bazelrc=\($0.path)" }).text
  }

  @Test("as COMMAND gets an rc file of its own, and no links")
  func command() throws {
    let text = try Self.rc()
    #expect(text.contains("build --remote_cache=http://127.0.0.1:4711/bazel\n"))
    #expect(text.contains("build \"--remote_header=Authorization=Bearer token\"\n"))
    #expect(text.contains("build --remote_download_outputs=all\n"))
    #expect(Bazel.wire(Self.context(["bazel", "build"])).shims.isEmpty)
    #expect(Bazel.wire(Self.context(["bazel", "build"])).variables.isEmpty)
  }

  @Test("no flag goes to a version that may not know it")
  func versions() throws {
    // Of a Bazel that was built without one.
    #expect(try !Self.rc(version: "bazel no_version").contains("remote_download"))
    #expect(try !Self.rc(version: "bazel 3.7.2").contains("remote_download"))
    #expect(try Self.rc(version: "bazel 4.2.3").contains("remote_download"))
    #expect(Self.state(["bazel"], version: "bazel 2.2.0") != .wired)
    #expect(Self.state(["bazel"], version: "something else") != .wired)
    let file: FilePath = "/src/project/.bazelversion"
    #expect(try !Self.rc(["bazel", "build"], [file: "3.7.0\n"]).contains("remote_download"))
    #expect(Self.state(["bazel"], [file: "1.0\n"]) != .wired)
    #expect(Self.state(["bazel"], [file: "0123abcd"]) != .wired)
    for latest in ["latest", "last_green", "rolling", "latest-1", "8.x", "fork/7.0.0"] {
      #expect(try Self.rc(["bazel", "build"], [file: latest]).contains("remote_download"), "\(latest)")
    }
    #expect(Self.state(["bazel"], variables: ["USE_BAZEL_VERSION": "1.2.3"]) != .wired)
  }

  @Test(
    "a cache of the user's stays, wherever it is named",
    arguments: [
      ["/src/project/.bazelrc": "build --remote_cache=grpc://cache.example"],
      ["/src/project/.bazelrc": "build:ci --jobs=3 --remote_executor grpc://cache.example"],
      ["/home/me/.bazelrc": "common '--remote_cache=x'"], ["/etc/bazel.bazelrc": "build --remote_cache="],
      ["/src/project/.bazelrc": "import %workspace%/a.rc", "/src/project/a.rc": "build --remote_cache=x"],
      [
        "/src/project/.bazelrc": "try-import /b.rc", "/b.rc": "import c.rc",
        "/src/project/sub/c.rc": "x --remote_cache=x",
      ],
      ["/src/project/.bazelrc": "build --digest_function=BLAKE3"],
      ["/src/project/.bazelrc": "try-import-if-bazel-version >=8 /b.rc", "/b.rc": "build --remote_cache=x"],
    ] as [[FilePath: String]])
  func user(files: [FilePath: String]) {
    #expect(Self.state(["bazel", "build"], files) != .wired)
  }

  @Test(
    "what is none of it does no harm",
    arguments: [
      [
        "/src/project/.bazelrc":
          "# build --remote_cache=x\nbuild --remote_upload_local_results --jobs=3 # --remote_cache"
      ],
      ["/src/project/sub/.bazelrc": "build --remote_cache=x"],
      ["/src/project/.bazelrc": "import %workspace%/.bazelrc\nimport /missing"],
    ] as [[FilePath: String]])
  func others(files: [FilePath: String]) {
    #expect(Self.state(["bazel", "build"], files) == .wired)
  }

  @Test("a file that is not read says nothing")
  func unread() {
    let files: [FilePath: String] = ["/src/project/.bazelrc": "build --remote_cache=x"]
    #expect(Self.state(["bazel", "--noworkspace_rc", "build"], files) == .wired)
    #expect(Self.state(["bazel", "--nohome_rc", "build"], files) != .wired)
  }

  @Test(
    "arguments decide",
    arguments: [
      ["build", "--remote_cache=x"], ["build", "--remote_executor", "x"], ["--ignore_all_rc_files", "build"],
      ["--digest_function=SHA1", "build"], ["--version"], ["--strict", "build"], ["--bazelrc=/own.rc", "build"],
    ])
  func arguments(arguments: [String]) {
    let files: [FilePath: String] = ["/own.rc": "build --remote_cache=x"]
    #expect(Self.state(["bazel"] + arguments, files) != .wired)
  }

  @Test("an rc file on the command line is read, and stays where several are allowed")
  func named() {
    let command = ["bazel", "--bazelrc=/own.rc", "build"]
    #expect(Self.state(command, ["/own.rc": "build --jobs=3"]) == .wired)
    // Older ones take the first one only.
    #expect(Self.state(command, ["/own.rc": "build --jobs=3"], version: "bazel 4.2.3") != .wired)
    #expect(Self.state(["bazel", "run", "x", "--", "--remote_cache=x"]) == .wired)
  }

  @Test("how much is fetched is the user's to say")
  func downloads() throws {
    let rc: FilePath = "/src/project/.bazelrc"
    #expect(try !Self.rc(["bazel", "build"], [rc: "build --remote_download_minimal"]).contains("=all"))
    #expect(try !Self.rc(["bazel", "build", "--remote_download_outputs=toplevel"]).contains("=all"))
  }

  @Test("below another command is reached through a link to fabrik")
  func nested() throws {
    let wiring = Bazel.wire(Self.context(["make"]))
    #expect(wiring.state == .wired && wiring.arguments.isEmpty)
    #expect(wiring.shims == ["bazel"])
    #expect(wiring.value("FABRIK_BAZELRC") == wiring.files.first?.path.string)
    var host = Self.host()
    host.programs["bazel"] = nil
    #expect(Bazel.wire(host.context()).state != .wired)
  }
}
