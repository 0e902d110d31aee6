import BuildTools
import SystemPackage
import SystemSupport
import Testing

@Suite("Rust")
struct RustTests {
  private static func host(version: String = "sccache 0.16.0") -> FakeToolHost {
    var host = FakeToolHost()
    host.programs = ["sccache": "/usr/bin/sccache", "cargo": "/usr/bin/cargo"]
    host.versions = ["/usr/bin/sccache": version]
    return host
  }

  @Test("cargo calls a link to this program, which finds what it needs in a file of the build")
  func wired() throws {
    let wiring = Rust.wire(Self.host().context())
    #expect(wiring.state == .wired)
    #expect(wiring.links == .init(target: "/usr/bin/fabrik", names: ["fabrik-rustc"], variable: "RUSTC_WRAPPER"))
    #expect(wiring.variables == [.init("FABRIK_RUST", "/scratch/builds/1/rust")])
    let file = try #require(wiring.files.first)
    #expect(file.path == "/scratch/builds/1/rust")
    let settings = Rust.Settings(sccache: "/usr/bin/sccache", address: "http://127.0.0.1:4711", token: "token")
    #expect(Rust.Settings(text: file.text) == settings)
  }

  @Test("the crate cc does not take the link for its own compilers' cache")
  func name() {
    #expect(!["sccache", "cachepot", "buildcache"].contains(Rust.shim))
  }

  @Test(
    "a file that is none of ours is nothing", arguments: ["", "\n\n\n", "sccache\na\nb\n", "/sccache\na\n", "/a\nb\nc"])
  func wrongSettings(text: String) {
    #expect(Rust.Settings(text: text) == nil)
  }

  @Test(
    "is left alone when the user has a wrapper or an sccache",
    arguments: [
      "RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER", "SCCACHE_DIR", "SCCACHE_BUCKET", "SCCACHE_SERVER_PORT",
    ])
  func variables(name: String) {
    var environment = Self.host().context().environment
    for value in ["", "mine"] {
      environment[name] = value
      #expect(Rust.wire(Self.host().context(in: environment)).state == .leftAlone("\(name) is set"))
    }
  }

  @Test(
    "is left alone when a configuration of cargo's names a wrapper",
    arguments: [
      "/src/project/.cargo/config.toml", "/src/project/.cargo/config", "/src/.cargo/config.toml",
      "/home/me/.cargo/config.toml", "/home/me/.cargo/config",
    ] as [FilePath])
  func configured(file: FilePath) {
    var host = Self.host()
    host.files = [file: "[build]\n  rustc-wrapper = \"x\"\n"]
    #expect(Rust.wire(host.context()).state == .leftAlone("a rustc-wrapper is set in \(file)"))
    host.files = [file: "[build]\n # rustc-wrapper = \"x\"\njobs = 2\n"]
    #expect(Rust.wire(host.context()).state == .wired)
  }

  @Test("CARGO_HOME stands in for the home's directory")
  func cargoHome() {
    var host = Self.host()
    host.files = ["/home/me/.cargo/config.toml": "build.rustc-wrapper = \"x\""]
    #expect(Rust.wire(host.context(["CARGO_HOME": "/cargo"])).state == .wired)
    host.files = ["/cargo/config.toml": "build.rustc-wrapper = \"x\""]
    #expect(Rust.wire(host.context(["CARGO_HOME": "/cargo"])).state != .wired)
  }

  @Test(
    "versions that know neither WebDAV nor Unix sockets are too old",
    arguments: [
      ("sccache 0.4.0-pre.6", false), ("sccache 0.15.0", false), ("sccache 0.16.0", true),
      ("sccache 0.16.1-beta", true),
      ("sccache 1.0.0", true), ("something else 1.0.0", false), ("", false),
    ])
  func versions(version: String, isRecent: Bool) {
    let state = Rust.wire(Self.host(version: version).context()).state
    #expect((state == .wired) == isRecent)
    if case .unavailable(let reason) = state { #expect(reason.contains("too old") && reason.contains("0.16")) }
  }

  @Test("what is missing is named, and how to get it")
  func missing() {
    var host = Self.host()
    host.programs["sccache"] = nil
    guard case .unavailable(let reason) = Rust.wire(host.context()).state else {
      Issue.record("wired")
      return
    }
    #expect(reason.contains("cargo install sccache"))
    host = Self.host()
    host.programs["cargo"] = nil
    #expect(Rust.wire(host.context()).state != .wired)
  }

  @Test("incremental compilation stays for a developer, and is turned off for a CI job")
  func incremental() {
    #expect(Rust.wire(Self.host().context()).value("CARGO_INCREMENTAL") == nil)
    #expect(Rust.wire(Self.host().context(["CI": "false"])).value("CARGO_INCREMENTAL") == nil)
    #expect(Rust.wire(Self.host().context(["CI": "true"])).value("CARGO_INCREMENTAL") == "0")
    // Nobody is to wonder at an incremental build that asks for nothing.
    #expect(Rust.wire(Self.host().context()).silenceHint.isEmpty)
  }

  @Test("incremental compilation stays as the user has set it")
  func keptIncremental() {
    let mine = Rust.wire(Self.host().context(["CI": "1", "CARGO_INCREMENTAL": "1"]))
    #expect(mine.state == .wired && mine.value("CARGO_INCREMENTAL") == nil && mine.kept == ["CARGO_INCREMENTAL"])
    var host = Self.host()
    host.files = ["/src/project/Cargo.toml": "[profile.dev]\nincremental = true\n"]
    let project = Rust.wire(host.context(["CI": "1"]))
    #expect(project.value("CARGO_INCREMENTAL") == nil && project.kept.count == 1)
  }

  @Test("Miri gets no wrapper, of which it would complain")
  func miri() {
    #expect(Rust.wire(Self.host().context(command: ["cargo", "+nightly", "miri", "test"])).state != .wired)
  }
}
