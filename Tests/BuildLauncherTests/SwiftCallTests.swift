import SystemPackage
import SystemSupport
import Testing

@testable import BuildLauncher

@Suite("A call of Swift's compiler")
struct SwiftCallTests {
  private static let toolchain: FilePath = "/opt/swift/usr"
  private static let debug = [
    "-module-name", "Library", "-emit-dependencies", "-emit-module", "-emit-module-path", "/b/Library.swiftmodule",
    "-output-file-map", "/b/map.json", "-incremental", "-c", "/src/a.swift", "/src/b.swift", "-I", "/b/Modules",
    "-target", "x86_64-unknown-linux-gnu", "-Onone", "-j8", "-DDEBUG", "-parseable-output",
  ]

  private static func call(_ arguments: [String], files: [FilePath: String] = [:]) -> SwiftCall {
    SwiftCall(arguments, toolchain: toolchain) { files[$0] }
  }

  @Test(
    "that compiles is cached",
    arguments: [
      debug, ["a.swift", "-o", "program"], ["-emit-library", "a.swift"], ["-O", "-wmo", "-c", "a.swift", "-o", "a.o"],
      ["-c", "a.swift", "-Xcc", "-v", "-Xlinker", "-h"], ["-c", "a.swift", "-D", "-frontend"],
    ])
  func compilation(arguments: [String]) {
    #expect(Self.call(arguments).verdict == .cached)
  }

  @Test(
    "that compiles nothing stays as it is",
    arguments: [
      [], ["-version"], ["--version"], ["-help"], ["-h"], ["-print-target-info"], ["-emit-executable", "a.o"],
      ["-modulewrap", "a.swiftmodule", "-o", "a.o"], ["-frontend", "-c", "a.swift"], ["-repl"],
      ["-typecheck", "a.swift"], ["-dump-ast", "a.swift"], ["-parse", "a.swift"], ["-###", "a.swift"],
      ["-c", "a.swift", "-v"], ["-scan-dependencies", "a.swift"], ["-driver-print-jobs", "a.swift"],
      // The program on standard input.
      ["-"], ["-c", "-", "-o", "a.o"], ["-index-file", "a.swift"], ["-o", "a.swift"], ["-I", "a.swift"],
    ])
  func noCompilation(arguments: [String]) {
    #expect(Self.call(arguments).verdict == .plain(.noCompilation))
  }

  @Test(
    "of a manifest or a plugin of the package manager stays as it is",
    arguments: [
      ["-lPackageDescription", "Package.swift", "-o", "/tmp/manifest"],
      ["-package-description-version", "6.0.0", "Package.swift"],
      ["-L", "/pm/PluginAPI", "-lPackagePlugin", "plugin.swift", "-o", "/b/plugin"],
    ])
  func packageManager(arguments: [String]) {
    #expect(Self.call(arguments).verdict == .plain(.noCompilation))
  }

  @Test(
    "that says how to cache is the user's",
    arguments: [
      ["-cache-compile-job"], ["-no-cache-compile-job"], ["-cas-path", "/cas"], ["-cas-plugin-path", "/x.so"],
      ["-cas-plugin-option", "a=b"], ["-explicit-module-build"], ["-no-explicit-module-build"],
      ["-Xfrontend", "-cache-disable-replay"], ["-disallow-use-new-driver"],
    ])
  func usersChoice(arguments: [String]) {
    #expect(Self.call(Self.debug + arguments).verdict == .plain(.usersChoice))
  }

  @Test(
    "whose results the cache does not have, or would mix up, stays as it is",
    arguments: [
      ["-import-objc-header", "bridge.h"], ["-save-temps"], ["-save-optimization-record"], ["-emit-ir"], ["-S"],
      ["-emit-assembly"], ["-emit-bc"], ["-emit-sil"], ["-o", "-"], ["-emit-loaded-module-trace"], ["-embed-bitcode"],
      ["-track-dependencies"], ["-driver-mode=swift"], ["--driver-mode=swift-frontend"],
      ["-driver-use-frontend-path", "/x/swift-frontend"], ["-tools-directory", "/x"], ["@nothing"],
    ])
  func unsupported(arguments: [String]) {
    #expect(Self.call(Self.debug + arguments).verdict == .plain(.unsupported))
    #expect(Self.call(arguments + Self.debug).verdict == .plain(.unsupported))
  }

  @Test("to a driver that runs another compiler than its toolchain's is not cached")
  func replacedCompiler() {
    #expect(SwiftCall.isCompilerReplaced(in: Environment(["SWIFT_DRIVER_SWIFT_FRONTEND_EXEC": "/x/swift-frontend"])))
    #expect(!SwiftCall.isCompilerReplaced(in: Environment(["SWIFT_EXEC": "/x/swiftc"])))
  }

  @Test("that writes dependencies without saying where stays as it is")
  func dependencies() {
    #expect(Self.call(["-c", "a.swift", "-emit-dependencies"]).verdict == .plain(.unsupported))
    #expect(
      Self.call(["-c", "a.swift", "-emit-dependencies", "-output-file-map", "map.json"]).verdict == .cached)
  }

  @Test("of a module of tests is compiled anew, with what is cached of others")
  func tests() {
    for mark in [["-Xfrontend", "-enable-cross-import-overlays"], ["-enable-cross-import-overlays"]] {
      #expect(Self.call(Self.debug + mark).verdict == .partlyCached)
    }
    #expect(Self.call(["-enable-cross-import-overlays"]).verdict == .plain(.noCompilation))
  }

  // MARK: - Plugins

  @Test("names the programs of macros, but for the toolchain's")
  func macros() {
    let call = Self.call(
      Self.debug + [
        "-Xfrontend", "-load-plugin-executable", "-Xfrontend", "/b/Macros-tool#Macros",
        "-load-plugin-executable", "/b/More-tool#One,Two", "-load-plugin-executable",
        "/opt/swift/usr/bin/own#Own", "-load-plugin-executable", "/opt/swift/usr/../usr/bin/own#Own",
      ])
    #expect(call.verdict == .cached)
    #expect(call.macros == ["/b/Macros-tool", "/b/More-tool"])
    let outside = Self.call(Self.debug + ["-load-plugin-executable", "/opt/swift/usr/../../mine#Mine"])
    #expect(outside.macros == ["/opt/swift/usr/../../mine"])
  }

  @Test(
    "with plugins of the toolchain is cached",
    arguments: [
      ["-plugin-path", "/opt/swift/usr/lib/swift/host/plugins/testing"], ["-plugin-path", "/opt/swift/usr/lib/./x/"],
      ["-in-process-plugin-server-path", "/opt/swift/usr/lib/swift/host/libSwiftInProcPluginServer.so"],
      ["-external-plugin-path", "/opt/swift/usr/lib/plugins#/opt/swift/usr/bin/swift-plugin-server"],
    ])
  func toolchainPlugins(arguments: [String]) {
    let call = Self.call(Self.debug + arguments)
    #expect(call.verdict == .cached && call.macros.isEmpty)
  }

  @Test(
    "with plugins whose content is not known stays as it is",
    arguments: [
      ["-plugin-path", "/home/me/plugins"], ["-plugin-path", "/opt/swift/usr/../../mine"], ["-plugin-path", ""],
      ["-external-plugin-path", "/home/me/plugins#/opt/swift/usr/bin/swift-plugin-server"],
      ["-external-plugin-path", "/opt/swift/usr/lib/plugins#/home/me/server"],
      ["-Xfrontend", "-load-plugin-library", "-Xfrontend", "/x.so"], ["-load-resolved-plugin", "/x.so##X"],
      ["-load-pass-plugin", "/x.so"], ["-plugin-path"], ["-load-plugin-executable"], ["-load-plugin-executable", "#"],
      ["-in-process-plugin-server-path", "/x.so"], ["-plugin-path", "/opt/swift/usr-mine"],
    ])
  func unknownPlugins(arguments: [String]) {
    #expect(Self.call(Self.debug + arguments).verdict == .plain(.plugin))
  }

  // MARK: - What is to be in a key

  @Test("tells by its outputs, in any order, and by nothing else")
  func outputs() {
    #expect(Self.call(Self.debug).outputs == ["-emit-dependencies", "-emit-module", "-emit-module-path"])
    let one = Self.call(["-c", "a.swift", "-emit-module", "-Xfrontend", "-serialize-diagnostics-path", "/a.dia"])
    let other = Self.call(["-serialize-diagnostics-path", "/b.dia", "-emit-module", "-emit-module", "-c", "a.swift"])
    #expect(one.outputs == other.outputs && one.outputs == ["-emit-module", "-serialize-diagnostics-path"])
    #expect(Self.call(["-c", "a.swift", "-emit-objc-header"]).outputs == ["-emit-objc-header"])
    #expect(Self.call(["-c", "a.swift"]).outputs.isEmpty)
    // A value is no output.
    #expect(Self.call(["-c", "a.swift", "-Xcc", "-emit-x", "-D", "-emit-y"]).outputs.isEmpty)
  }

  @Test("may say how warnings look")
  func diagnosticStyle() {
    #expect(!Self.call(Self.debug).hasDiagnosticStyle)
    for arguments in [["-diagnostic-style", "llvm"], ["-diagnostic-style=llvm"]] {
      let call = Self.call(Self.debug + arguments)
      #expect(call.hasDiagnosticStyle && call.verdict == .cached)
    }
  }

  // MARK: - Response files

  @Test("has the arguments of its response files, and of those that these name")
  func responseFiles() {
    let files: [FilePath: String] = [
      "/b/sources": "/src/a.swift\n/src/b.swift\n", "/b/bridge": "-import-objc-header bridge.h",
      "/b/all": "-c @/b/sources",
      "/b/hidden": "@/b/bridge", "/b/loop": "-c a.swift @/b/loop", "/b/lost": "-c a.swift @/b/nothing",
    ]
    #expect(Self.call(["-c", "@/b/sources"], files: files).verdict == .cached)
    #expect(Self.call(["@/b/all"], files: files).verdict == .cached)
    #expect(Self.call(["@/b/all", "@/b/hidden"], files: files).verdict == .plain(.unsupported))
    for file in ["@/b/loop", "@/b/lost"] {
      #expect(Self.call([file], files: files).verdict == .plain(.unsupported))
    }
    // A name like any other.
    #expect(Self.call(["-c", "a.swift", "@"], files: files).verdict == .cached)
  }

  @Test(
    "finds words in response files as the driver does",
    arguments: [
      ("", []), (" \t\n\r\n", []), ("a b\tc\nd\r\ne", ["a", "b", "c", "d", "e"]),
      (#""a b" 'c d'"#, ["a b", "c d"]), (#"a\ b \"c\" \\"#, ["a b", "\"c\"", "\\"]), (#"'a\'b'"#, ["a'b"]),
      (#"pre"in side"post"#, ["prein sidepost"]), (#""" a"#, ["a"]), (#""it's" b"#, ["its b"]),
      ("// don't\n-c a.swift", ["-c", "a.swift"]), ("a // b", ["a", "//", "b"]), ("it's\n-c", ["its", "-c"]),
      ("a\\", ["a"]),
    ] as [(String, [String])])
  func words(text: String, expected: [String]) {
    #expect(SwiftCall.words(of: text) == expected)
  }

  @Test(
    "is left alone where a key would miss something, or something would not be written",
    arguments: [
      "-profile-use=a.profdata", "-profile-sample-use=a", "-const-gather-protocols-file",
      "-save-optimization-record=yaml",
      "-debug-time-function-bodies", "-Xllvm", "--",
    ])
  func unsupported(option: String) {
    #expect(SwiftCall(["-c", option, "/a.swift"], toolchain: "/usr") { _ in nil }.verdict == .plain(.unsupported))
  }

  @Test("tells what has to be in a key, and what must not be mapped")
  func facts() {
    let call = SwiftCall(
      ["-c", "/a.swift", "b.swift", "-incremental", "-driver-batch-count", "8", "-profile-coverage-mapping"],
      toolchain: "/usr"
    ) { _ in nil }
    #expect(call.hasRelativeSource && call.isIncremental && call.hasBatchCount && call.namesSources)
    let other = SwiftCall(["-c", "/a.swift"], toolchain: "/usr") { _ in nil }
    #expect(!other.hasRelativeSource && !other.isIncremental && !other.hasBatchCount && !other.namesSources)
  }
}
