import CacheStore
import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import BuildLauncher

@Suite("A toolchain of Swift", .timeLimit(.minutes(5)))
struct SwiftToolchainTests {
  private static let library: FilePath = "/opt/fabrik/libFabrikCAS.so"

  /// A toolchain whose compiler is a script.
  private struct Trial {
    let directory: FilePath

    /// - Parameter script: has `$object`, the file to write, and `$cache`, the cache's directory, if there is to be one.
    init(in directory: FilePath, compiler script: String) throws {
      self.directory = directory
      try FileSystem.makeDirectories(directory.appending("scratch"))
      try Files.write("the compiler itself", to: directory.appending("usr/bin/swift-frontend"))
      try write(script)
    }

    func write(_ script: String) throws {
      let compiler = directory.appending("usr/bin/swiftc")
      try Files.write(
        """
        #!/bin/sh
        echo "$*" >> \(directory)/calls
        env >> \(directory)/environment
        object=$4 cache=
        while [ $# -gt 0 ]; do [ "$1" != -cas-path ] || cache=$2; shift; done
        \(script)
        """, to: compiler)
      #expect(chmod(compiler.string, 0o755) == 0)
    }

    func ability() -> SwiftToolchain.Ability {
      SwiftToolchain(compiler: directory.appending("usr/bin/swiftc")).ability(
        library: library, memory: ProbeMemory(directory: directory.appending("memory")),
        failures: ProbeMemory(directory: directory.appending("build")),
        scratch: directory.appending("scratch"),
        environment: Environment([
          "PATH": "/usr/bin:/bin", "FABRIK_CAS_SOCKET": "/run/cas.sock", "FABRIK_CAS_LEASE": "lease",
          "FABRIK_CAS_SPILL": "/run/spill",
        ]))
    }

    /// The command lines that the compiler was called with.
    var calls: [Substring] {
      (SmallFile.read(directory.appending("calls")) ?? "").split(separator: "\n")
    }
  }

  private static let working = """
    [ -z "$cache" ] || mkdir -p "$cache/actions/00"
    echo object > "$object"
    """

  private func ability(_ script: String) throws -> SwiftToolchain.Ability {
    try withTemporaryDirectory { try Trial(in: $0, compiler: script).ability() }
  }

  private func reason(_ script: String) throws -> String? {
    guard case .fails(let reason) = try ability(script) else { return nil }
    return reason
  }

  @Test("works when its compiler uses the cache; it is known by the compiler's content")
  func works() throws {
    try withTemporaryDirectory { directory in
      let trial = try Trial(in: directory, compiler: Self.working)
      let identity = SHA256Digest.digest(of: Array("the compiler itself".utf8)).description
      #expect(trial.ability() == .works(identity: identity))
      // Without the cache, to fill it, and to find what is there.
      #expect(trial.calls.count == 3)
      #expect(!trial.calls[0].contains("-cache-compile-job"))
      #expect(trial.calls[1].contains("-cas-plugin-path \(Self.library)"))
      #expect(trial.calls[1].contains("toolchain=\(identity)"))
      // Nothing of the trial is left, nor does a server hear of it.
      #expect(try FileSystem.entries(of: directory.appending("scratch")) == ["trial.lock"])
      #expect(SmallFile.read(directory.appending("environment"))?.contains("FABRIK_CAS") == false)
    }
  }

  @Test("is tried once, until its compiler changes")
  func remembered() throws {
    try withTemporaryDirectory { directory in
      let trial = try Trial(in: directory, compiler: Self.working)
      let first = trial.ability()
      #expect(trial.ability() == first)
      #expect(trial.calls.count == 3)
      try Files.write("another compiler", to: directory.appending("usr/bin/swift-frontend"))
      let second = trial.ability()
      #expect(trial.calls.count == 6)
      #expect(second == .works(identity: SHA256Digest.digest(of: Array("another compiler".utf8)).description))
    }
  }

  @Test("fails when its compiler does not know the options")
  func old() throws {
    #expect(try reason("[ -z \"$cache\" ] || exit 1; echo object > \"$object\"")?.contains("does not know") == true)
  }

  @Test("fails when its compiler ignores the cache")
  func ignoring() throws {
    let script = "echo object > \"$object\""
    #expect(try reason(script)?.contains("does not use") == true)
    #expect(try reason("[ -z \"$cache\" ] || mkdir -p \"$cache/actions\"\n\(script)")?.contains("does not use") == true)
  }

  @Test("fails when what comes from the cache is not what went in")
  func wrong() throws {
    let script = """
      [ -z "$cache" ] || mkdir -p "$cache/actions/$$"
      echo "object $$" > "$object"
      """
    #expect(try reason(script)?.contains("does not work") == true)
    #expect(
      try reason("[ ! -e \"$cache/actions\" ] || exit 1\n\(Self.working)")?.contains("does not work") == true)
  }

  @Test("a failure is remembered, but not when it compiles nothing at all: that may be a full disk")
  func failures() throws {
    try withTemporaryDirectory { directory in
      let trial = try Trial(in: directory, compiler: "exit 1")
      guard case .fails = trial.ability() else {
        Issue.record("works")
        return
      }
      #expect(trial.calls.count == 1)
      _ = trial.ability()
      #expect(trial.calls.count == 2)
      try trial.write(Self.working)
      guard case .works = trial.ability() else {
        Issue.record("does not work")
        return
      }
    }
    try withTemporaryDirectory { directory in
      let trial = try Trial(in: directory, compiler: "echo object > \"$object\"")
      let first = trial.ability()
      #expect(trial.ability() == first)
      #expect(trial.calls.count == 2)
    }
  }

  @Test("fails when the compiler itself is not where it is looked for")
  func incomplete() throws {
    try withTemporaryDirectory { directory in
      let trial = try Trial(in: directory, compiler: Self.working)
      try FileSystem.remove(directory.appending("usr/bin/swift-frontend"))
      guard case .fails(let reason) = trial.ability() else {
        Issue.record("works")
        return
      }
      #expect(reason.contains("swift-frontend") && trial.calls.isEmpty)
    }
  }

  @Test("is the directory that links to its compiler lead to")
  func directory() throws {
    try withTemporaryDirectory { directory in
      _ = try Trial(in: directory, compiler: Self.working)
      let link = directory.appending("swiftc")
      try FileSystem.makeSymbolicLink(link, to: directory.appending("usr/bin/swiftc"))
      #expect(SwiftToolchain(compiler: link).directory == (try FileSystem.realPath(directory.appending("usr"))))
      #expect(SwiftToolchain(compiler: "/nonexistent/usr/bin/swiftc").directory == "/nonexistent/usr")
    }
  }

  @Test("its options name the directory, the plugin and the toolchain")
  func options() {
    let options = SwiftToolchain.options(library: Self.library, directory: "/cas", identity: "1f")
    #expect(options.contains("-cache-compile-job") && options.contains("-explicit-module-build"))
    for pair in [
      ["-cas-path", "/cas"], ["-cas-plugin-path", Self.library.string], ["-cas-plugin-option", "toolchain=1f"],
    ] { #expect(options.contains(pair)) }
  }

  @Test("a proxy that runs a compiler of its choice is left alone")
  func proxy() throws {
    try withTemporaryDirectory { directory in
      let trial = try Trial(in: directory, compiler: Self.working)
      let compiler = directory.appending("usr/bin/swiftc")
      try FileSystem.rename(compiler, to: directory.appending("usr/bin/proxy"))
      try FileSystem.makeSymbolicLink(compiler, to: "proxy")
      guard case .fails(let reason) = trial.ability() else {
        Issue.record("works")
        return
      }
      #expect(reason.contains("another program") && trial.calls.isEmpty)
    }
  }
}
