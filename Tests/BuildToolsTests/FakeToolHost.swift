import BuildTools
import SystemPackage
import SystemSupport

/// A machine as a test describes it.
struct FakeToolHost: ToolHost {
  /// What is wrong with every compiler of Swift.
  var swiftObjection: String?
  var programs: [String: FilePath] = ["ccache": "/usr/bin/ccache"]
  var versions: [FilePath: String] = ["/usr/bin/ccache": Self.version414]
  var commands = ["cc", "g++", "ls", "gcc-12", "cmake"]
  var compilerDirectory: FilePath = "/usr/bin"
  var compilerDate = 1_700_000_000
  var files: [FilePath: String] = [:]
  var directories: Set<FilePath> = []
  var readOnly: Set<FilePath> = []
  var goCacheProgram = ["/opt/fabrik", "cacheprog", "/run/go.sock", "lease"]
  var acceptsStorage: @Sendable (String) -> Bool = { _ in true }
  var execLibrary: FilePath?
  var compilerCache: CompilerCacheEndpoint?
  var use = WiringUse.build

  static let version414 = """
    ccache version 4.14.2
    Features: avx2 crsh-storage file-storage http-storage redis+unix-storage redis-storage remote-storage

    Copyright
    """
  static let version475 = """
    ccache version 4.7.5
    Features: file-storage http-storage redis+unix-storage redis-storage

    Copyright
    """
  static let version42 = """
    ccache version 4.2
    Features: file-storage http-storage redis-storage

    Copyright
    """

  func find(_ name: String) -> FilePath? { programs[name] }
  func version(of program: FilePath, option: String) -> String? {
    option == (program.lastComponent == "go" ? "version" : "--version") ? versions[program] : nil
  }
  func programs(_ kind: String, where condition: (String) -> Bool) -> [Program] {
    commands.filter(condition).map { .init(name: $0, file: compilerDirectory.appending($0), modified: compilerDate) }
  }
  func compiles(with ccache: FilePath, compiler: Program, remoteStorage: String) -> Bool {
    acceptsStorage(remoteStorage)
  }
  func objection(toCachingBy compiler: FilePath) -> String? { swiftObjection }
  func exists(_ path: FilePath) -> Bool { directories.contains(path) || files[path] != nil }
  func canWrite(in directory: FilePath) -> Bool { !readOnly.contains { directory.starts(with: $0) } }
  func read(_ path: FilePath) -> String? { files[path] }

  func context(
    _ variables: KeyValuePairs<String, String> = [:], home: String? = "/home/me", command: [String] = ["make"]
  ) -> BuildContext {
    var environment = Environment(variables)
    if let home { environment["HOME"] = home }
    return context(in: environment, command: command)
  }

  func context(in environment: Environment, command: [String] = ["make"]) -> BuildContext {
    BuildContext(
      command: command, environment: environment,
      endpoints: CacheEndpoints(
        crshSocket: "/run/crsh.sock", httpPort: 4711, httpToken: "token", goCacheProgram: goCacheProgram,
        compilerCache: compilerCache),
      projectRoot: "/src/project", scratch: "/scratch", buildDirectory: "/scratch/builds/1", fabrik: "/usr/bin/fabrik",
      host: self, execLibrary: execLibrary, workingDirectory: "/src/project", use: use)
  }
}

extension Wiring {
  /// What a variable is set to; nil when it is not touched.
  func value(_ name: String) -> String? {
    variables.first { $0.name == name }.flatMap(\.value)
  }
}
