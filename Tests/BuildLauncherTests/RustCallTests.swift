import BuildTools
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import BuildLauncher

@Suite("A call of rustc")
struct RustCallTests {
  private static let library = [
    "--crate-name", "a", "src/lib.rs", "--crate-type", "lib", "--emit=dep-info,metadata,link",
  ]

  private static func isWorthAsking(_ words: [String]) -> Bool {
    RustCall(words.map { Array($0.utf8) }).isWorthAsking
  }

  @Test(
    "of a library may be answered from the cache",
    arguments: [
      library, ["--crate-name=a", "--crate-type=rlib", "src/lib.rs"],
      ["--crate-name", "a", "--crate-type", "cdylib", "--crate-type", "rlib", "a.rs"],
      ["--crate-name", "a", "--crate-type", "proc-macro", "a.rs"],
    ])
  func libraries(arguments: [String]) {
    for compiler in ["rustc", "/usr/bin/rustc"] { #expect(Self.isWorthAsking([compiler] + arguments)) }
  }

  @Test(
    "of anything else is the compiler's own",
    arguments: [
      [], ["-vV"], ["--version"], ["--crate-name", "a", "--crate-type", "bin", "src/main.rs"],
      library + ["-C", "incremental=/target/incremental"], library + ["-Cincremental=/x"], library + ["--test"],
      ["-", "--crate-name", "___", "--print=file-names", "--crate-type", "rlib"],
      // As autocfg tries things out.
      ["--crate-name", "probe", "--crate-type=lib", "--emit=llvm-ir", "-"], ["--crate-type", "lib", "a.rs"],
    ])
  func others(arguments: [String]) {
    #expect(!Self.isWorthAsking(["rustc"] + arguments))
  }

  @Test(
    "of another compiler is that compiler's own", arguments: ["clippy-driver", "/x/rustc-1.2", "/x/my-wrapper", ""])
  func otherCompilers(compiler: String) {
    #expect(!Self.isWorthAsking([compiler] + Self.library))
    #expect(!Self.isWorthAsking([]))
  }

  @Test("how cargo is to work does not get into the key; what it says of the crate does")
  func environment() {
    let environment = RustCall.environment(
      Environment(["CARGO_INCREMENTAL": "0", "CARGO_TERM_COLOR": "always", "CARGO_PKG_NAME": "a", "PATH": "/bin"]))
    #expect(environment == Environment(["CARGO_PKG_NAME": "a", "PATH": "/bin"]))
  }
}

@Suite("A build with an sccache daemon")
struct RustBuildTests {
  private static func build(in directory: FilePath) throws -> RustBuild {
    let settings = Rust.Settings(sccache: "/bin/sccache", address: "http://127.0.0.1:1", token: "token.lease")
    let file = directory.appending("rust")
    try SmallFile.replace(file, with: settings.text)
    return try #require(RustBuild(environment: Environment(["FABRIK_RUST": file.string])))
  }

  @Test("is over when its file is gone, or is none")
  func gone() throws {
    try withTemporaryDirectory { directory in
      #expect(RustBuild(environment: Environment()) == nil)
      #expect(RustBuild(environment: Environment(["FABRIK_RUST": "relative"])) == nil)
      #expect(RustBuild(environment: Environment(["FABRIK_RUST": "\(directory)/rust"])) == nil)
      _ = try Self.build(in: directory)
      #expect(RustBuild(environment: Environment(["FABRIK_RUST": "\(directory)/rust"])) != nil)
    }
  }

  @Test("is served when somebody accepts connections at its socket, and not by a file of that name")
  func served() throws {
    try withTemporaryDirectory { directory in
      let build = try Self.build(in: directory)
      #expect(!build.isServed)
      let listener = try Sockets.listen(unix: build.socket, backlog: 1)
      #expect(build.isServed)
      try listener.close()
      #expect(!build.isServed)
    }
  }

  @Test("once over, stays so")
  func over() throws {
    try withTemporaryDirectory { directory in
      let build = try Self.build(in: directory)
      #expect(!build.isOver)
      build.markAsOver()
      build.markAsOver()
      #expect(build.isOver)
    }
  }

  @Test("its daemon has the user's environment, but nothing that is another's")
  func daemonEnvironment() throws {
    try withTemporaryDirectory { directory in
      let build = try Self.build(in: directory)
      let daemon = build.daemonEnvironment(
        Environment([
          "PATH": "/bin", "CARGO_HOME": "/cargo", "CARGO_PKG_NAME": "first", "MAKEFLAGS": "--jobserver-auth=3,4",
          "http_proxy": "http://proxy", "HTTPS_PROXY": "http://proxy", "RUST_LOG": "trace", "TMPDIR": "/var/tmp",
        ]))
      #expect(daemon["PATH"] == "/bin" && daemon["CARGO_HOME"] == "/cargo" && daemon["TMPDIR"] == "/var/tmp")
      for name in ["CARGO_PKG_NAME", "MAKEFLAGS", "http_proxy", "HTTPS_PROXY", "RUST_LOG"] {
        #expect(daemon[name] == nil)
      }
      #expect(daemon["SCCACHE_WEBDAV_TOKEN"] == "token.lease")
      #expect(daemon["SCCACHE_WEBDAV_ENDPOINT"] == "http://127.0.0.1:1")
      #expect(daemon["SCCACHE_SERVER_UDS"] == build.socket.string)
      #expect(daemon["SCCACHE_IDLE_TIMEOUT"] == "0")
    }
  }

  @Test("its clients know no store: a daemon that one starts in an emergency must come up")
  func clientEnvironment() throws {
    try withTemporaryDirectory { directory in
      let build = try Self.build(in: directory)
      let client = build.clientEnvironment(Environment(["PATH": "/bin"]), socket: build.socket)
      #expect(!client.entries.contains { $0.starts(with: "SCCACHE_WEBDAV".utf8) })
      #expect(client["SCCACHE_IGNORE_SERVER_IO_ERROR"] == "1")
      #expect(client["SCCACHE_DIR"]?.hasPrefix(directory.string) == true)
    }
  }
}
