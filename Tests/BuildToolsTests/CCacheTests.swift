import SystemPackage
import Testing

@testable import BuildTools

@Suite("Wiring ccache")
struct CCacheTests {
  private static let crsh = "crsh:/run/crsh.sock|data-timeout=2000ms|request-timeout=20000ms"
  private static let http =
    "http://127.0.0.1:4711/ccache|layout=bazel|bearer-token=token|connect-timeout=2000|operation-timeout=2000"

  @Test("all that is needed is injected, in this order, and links for the compilers on the PATH")
  func complete() {
    let wiring = CCache.wire(FakeToolHost().context())
    #expect(wiring.state == .wired)
    #expect(
      wiring.variables == [
        .init("CCACHE_REMOTE_STORAGE", Self.crsh), .init("CCACHE_REMOTE_ONLY", "1"),
        .init("CCACHE_NOSTATS", "1"), .init("CCACHE_BASEDIR", "/src/project"),
        .init("CMAKE_C_COMPILER_LAUNCHER", "ccache"), .init("CMAKE_CXX_COMPILER_LAUNCHER", "ccache"),
      ])
    #expect(wiring.links == .init(target: "/usr/bin/ccache", names: ["cc", "g++", "gcc-12"]))
    #expect(wiring.kept.isEmpty)
    #expect(!wiring.silenceHint.isEmpty)
  }

  @Test(
    "a ccache before the storage helpers is reached over HTTP",
    arguments: [
      FakeToolHost.version475, "ccache version 4.10\nFeatures: http-storage",
      "ccache version 5.0-rc1\nFeatures: http-storage",
    ])
  func http(version: String) {
    var host = FakeToolHost()
    host.versions = ["/usr/bin/ccache": version]
    let wiring = CCache.wire(host.context())
    #expect(wiring.state == .wired)
    #expect(wiring.value("CCACHE_REMOTE_STORAGE") == Self.http)
  }

  @Test(
    "a ccache without a remote storage is not wired, and what would help is said",
    arguments: [
      FakeToolHost.version42, "ccache version 3.7.12", "ccache version 4.6.3\nFeatures: http-storage",
      "ccache version 4.14\nFeatures: file-storage", "", "nonsense\nFeatures: http-storage",
    ])
  func tooOld(version: String) {
    var host = FakeToolHost()
    host.versions = ["/usr/bin/ccache": version]
    #expect(
      CCache.wire(host.context())
        == .unavailable(
          "C and C++ are not cached: /usr/bin/ccache has no remote storage; "
            + "ccache 4.7 or newer has (sudo apt install ccache)"))
  }

  @Test("without ccache, a compiler, or a ccache that works, it is said what is missing")
  func missing() {
    var host = FakeToolHost()
    host.commands = ["ls"]
    #expect(
      CCache.wire(host.context()) == .unavailable("C and C++ are not cached: there is no compiler on the PATH"))
    host.versions = [:]
    #expect(
      CCache.wire(host.context()) == .unavailable("C and C++ are not cached: '/usr/bin/ccache --version' failed"))
    host.programs = [:]
    #expect(
      CCache.wire(host.context())
        == .unavailable("C and C++ are not cached: ccache is not installed (try: sudo apt install ccache)"))
  }

  @Test("a ccache that fails over such an address is not wired; it was tried with nobody behind it")
  func trial() {
    let asked = Recorder()
    var host = FakeToolHost()
    host.acceptsStorage = { asked.record($0) }
    #expect(
      CCache.wire(host.context())
        == .unavailable("C and C++ are not cached: /usr/bin/ccache fails when it is told to use Fabrik"))
    #expect(asked.all == ["crsh:/scratch/none.sock|data-timeout=2000ms|request-timeout=20000ms"])
  }

  @Test(
    "a storage the user has chosen is left alone, even an empty one",
    arguments: ["CCACHE_REMOTE_STORAGE", "CCACHE_SECONDARY_STORAGE", "CCACHE_DISABLE"], ["http://mine", ""])
  func userStorage(variable: String, value: String) {
    #expect(CCache.wire(FakeToolHost().context([variable: value])) == .leftAlone("\(variable) is set"))
  }

  @Test(
    "a setting the user has made is kept, and the others are still injected",
    arguments: [
      ("CCACHE_REMOTE_ONLY", "CCACHE_REMOTE_ONLY", "remote_only"),
      ("CCACHE_NOREMOTE_ONLY", "CCACHE_REMOTE_ONLY", "remote_only"),
      ("CCACHE_NOSTATS", "CCACHE_NOSTATS", "stats"), ("CCACHE_STATS", "CCACHE_NOSTATS", "stats"),
      ("CCACHE_BASEDIR", "CCACHE_BASEDIR", "base_dir"),
    ])
  func userOptions(variable: String, injected: String, setting: String) {
    let wiring = CCache.wire(FakeToolHost().context([variable: "mine"]))
    #expect(wiring.state == .wired)
    #expect(wiring.value(injected) == nil)
    #expect(wiring.variables.count == 5)
    #expect(wiring.kept == ["ccache's \(setting), set in \(variable)"])
  }

  @Test(
    "compilers are told apart by content where their date says nothing: checked out, or without a date",
    arguments: [
      ("/usr/bin", 1_700_000_000, nil), ("/opt/gcc/bin", 1_700_000_000, nil),
      ("/home/me/toolchains/bin", 1_700_000_000, "content"), ("/src/project/prebuilts", 1_700_000_000, "content"),
      ("/nix/store/gcc/bin", 1, "content"), ("/gnu/store/gcc/bin", 315_532_801, "content"),
    ] as [(FilePath, Int, String?)])
  func compilerCheck(directory: FilePath, date: Int, expected: String?) {
    var host = FakeToolHost()
    host.compilerDirectory = directory
    host.compilerDate = date
    #expect(CCache.wire(host.context()).value("CCACHE_COMPILERCHECK") == expected)
    let wiring = CCache.wire(host.context(["CCACHE_COMPILERCHECK": "none"]))
    #expect(wiring.value("CCACHE_COMPILERCHECK") == nil)
  }

  @Test("CMake is not led to the links when it configures, only when it builds")
  func cmake() {
    for command in [["cmake", "-S", "."], ["/usr/bin/cmake", "-B", "build"], ["cmake", ".."]] {
      let wiring = CCache.wire(FakeToolHost().context(command: command))
      #expect(wiring.links == nil)
      #expect(wiring.value("CMAKE_C_COMPILER_LAUNCHER") == "ccache")
    }
    #expect(CCache.wire(FakeToolHost().context(command: ["cmake", "--build", "build"])).links != nil)
    #expect(CCache.wire(FakeToolHost().context(command: ["ninja"])).links != nil)
  }

  @Test(
    "a CMake launcher the user has set is kept",
    arguments: ["CMAKE_C_COMPILER_LAUNCHER", "CMAKE_CXX_COMPILER_LAUNCHER"])
  func launcher(variable: String) {
    let wiring = CCache.wire(FakeToolHost().context([variable: "distcc"]))
    #expect(wiring.value(variable) == nil)
    #expect(wiring.kept == [variable])
    #expect(wiring.variables.count == 5)
  }

  @Test("a command that may have the library has it, and is told of ccache and the project")
  func library() {
    var host = FakeToolHost()
    #expect(CCache.wire(host.context()).preload == nil)
    #expect(CCache.wire(host.context()).silenceHint.contains("absolute path"))
    host.execLibrary = "/lib/libfabrik-exec.so"
    let wiring = CCache.wire(host.context())
    #expect(wiring.preload == "/lib/libfabrik-exec.so")
    #expect(wiring.value("FABRIK_EXEC") == "/usr/bin/ccache:/src/project")
    #expect(!wiring.silenceHint.contains("absolute path"))
    #expect(CCache.wire(host.context(["CCACHE_DISABLE": "1"])).preload == nil)
    // The library could not take these apart.
    host.programs = ["ccache": "/opt/a:b/ccache"]
    host.versions = ["/opt/a:b/ccache": FakeToolHost.version414]
    #expect(CCache.wire(host.context()).preload == nil)
  }

  @Test("sccache, which Meson prefers, is hidden where it is there, unless the user has chosen it or set it up")
  func sccache() {
    var host = FakeToolHost()
    #expect(CCache.wire(host.context(command: ["meson", "setup", "build"])).shims == [])
    host.programs["sccache"] = "/usr/bin/sccache"
    #expect(CCache.wire(host.context(["CC": "gcc"], command: ["meson", "setup", "build"])).shims == ["sccache"])
    #expect(CCache.wire(host.context()).shims == [], "CMake would remember the link")
    host.files["/src/project/meson.build"] = ""
    #expect(CCache.wire(host.context()).shims == ["sccache"])
    for (variable, value) in [("CC", "sccache gcc"), ("CXX", "/opt/sccache g++"), ("SCCACHE_BUCKET", "b")] {
      #expect(CCache.wire(host.context([variable: value])).shims == [])
    }
    #expect(CCache.wire(host.context(command: ["cmake", "-B", "build"])).shims == [])
    host.directories = ["/home/me/.config/sccache/config"]
    #expect(CCache.wire(host.context()).shims == [])
  }

  @Test("where Bazel may run there are no links, which it would keep", arguments: ["MODULE.bazel", "WORKSPACE"])
  func bazel(file: String) {
    var host = FakeToolHost()
    host.files[FilePath("/src/project").appending(file)] = ""
    let wiring = CCache.wire(host.context())
    #expect(wiring.state == .wired)
    #expect(wiring.links == nil && wiring.shims == [])
    #expect(CCache.wire(FakeToolHost().context(command: ["bazelisk", "build"])).links == nil)
  }

  @Test("commands that usually run a compiler are known", arguments: ["make", "ninja", "cmake", "gcc", "clang++-17"])
  func drivers(command: String) {
    #expect(CCache.isDriven(by: command))
  }

  @Test("other commands are not taken for one", arguments: ["ls", "sh", "cargo", "", "makeinfo", "/usr/bin/make"])
  func otherCommands(command: String) {
    #expect(!CCache.isDriven(by: command))
  }
}
