import BuildTools
import SystemPackage
import SystemSupport
import Testing

@Suite("Swift")
struct SwiftCompilerTests {
  private static var host: FakeToolHost {
    var host = FakeToolHost()
    host.programs = ["swiftc": "/opt/swift/usr/bin/swiftc"]
    host.execLibrary = "/opt/fabrik/libfabrik-exec.so"
    host.compilerCache = CompilerCacheEndpoint(
      socket: "/run/cas.sock", lease: "lease", directory: "/cache/compilers/0123456789abcdef")
    return host
  }

  @Test("its compiler is run by a link to this program, without a word of it on a command line")
  func wired() {
    let wiring = SwiftCompiler.wire(Self.host.context())
    #expect(wiring.state == .wired)
    #expect(wiring.preload == "/opt/fabrik/libfabrik-exec.so")
    #expect(wiring.links == .init(target: "/usr/bin/fabrik", names: ["fabrik-swiftc"], variable: "FABRIK_SWIFTC"))
    #expect(wiring.shims.isEmpty)
    #expect(wiring.value("FABRIK_CAS_DIRECTORY") == "/cache/compilers/0123456789abcdef")
    #expect(wiring.value("FABRIK_CAS_SOCKET") == "/run/cas.sock")
    #expect(wiring.value("FABRIK_CAS_LEASE") == "lease")
    // In memory, and gone with the build.
    #expect(wiring.value("FABRIK_CAS_SPILL") == "/scratch/builds/1/spill")
    // The package manager compiles everything anew when it changes.
    #expect(wiring.value("SWIFT_EXEC") == nil)
  }

  @Test("without the library, those who look for the compiler in the PATH find a link there")
  func withoutLibrary() {
    var host = Self.host
    host.execLibrary = nil
    let wiring = SwiftCompiler.wire(host.context())
    #expect(wiring.state == .wired)
    #expect(wiring.preload == nil && wiring.links == nil)
    #expect(wiring.shims == ["swiftc"])
    #expect(wiring.value("FABRIK_CAS_SOCKET") == "/run/cas.sock")
  }

  @Test("is left alone when the user has a compiler of his own", arguments: ["", "/mine/swiftc"])
  func ownCompiler(value: String) {
    #expect(
      SwiftCompiler.wire(Self.host.context(["SWIFT_EXEC": value])).state == .leftAlone("SWIFT_EXEC is set"))
  }

  @Test("a shell outlives the build whose directory this would be")
  func shell() {
    var host = Self.host
    host.use = .shell
    guard case .leftAlone = SwiftCompiler.wire(host.context()).state else {
      Issue.record("wired")
      return
    }
  }

  @Test("what is missing is named")
  func missing() {
    var host = Self.host
    host.programs = [:]
    guard case .unavailable(let compiler) = SwiftCompiler.wire(host.context()).state else {
      Issue.record("wired")
      return
    }
    #expect(compiler.contains("swiftc") && compiler.contains("PATH"))
    host = Self.host
    host.compilerCache = nil
    guard case .unavailable(let library) = SwiftCompiler.wire(host.context()).state else {
      Issue.record("wired")
      return
    }
    #expect(library.contains("libFabrikCAS.so"))
  }

  @Test("is driven by its package manager, and by its compiler")
  func drivers() {
    for command in ["swift", "swift-build", "swift-package", "swift-run", "swift-test", "swiftc"] {
      #expect(SwiftCompiler.isDriven(by: command))
    }
    for command in ["swift-format", "swift-frontend", "make", ""] { #expect(!SwiftCompiler.isDriven(by: command)) }
  }
}
