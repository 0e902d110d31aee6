import BuildTools
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The programs on the user's PATH.
struct InstalledTools: ToolHost {
  private let lookup: CommandLookup
  private let environment: Environment
  private let memory: ProbeMemory
  private let scratch: FilePath

  /// - Parameter scratch: a private directory for trials.
  init(environment: Environment, memory: ProbeMemory, scratch: FilePath) {
    lookup = CommandLookup(environment: environment)
    self.environment = environment
    self.memory = memory
    self.scratch = scratch
  }

  func find(_ name: String) -> FilePath? {
    lookup.firstExecutable(name)
  }

  func version(of program: FilePath) -> String? {
    let file = (try? FileSystem.realPath(program)) ?? program
    return memory.answer("version \(ProbeMemory.identity(of: file))") {
      let output = Subcommand.output(of: program, arguments: ["--version"], environment: environment)
      // Name and features; licences and credits follow.
      return output?.split(separator: "\n").prefix(2).joined(separator: "\n")
    }
  }

  func names(_ kind: String, where condition: (String) -> Bool) -> [String] {
    let directories = lookup.directories.filter { $0.first == UInt8(ascii: "/") }.map { FilePath(bytes: $0) }
    let question = "\(kind) \(directories.map(ProbeMemory.identity).joined(separator: " "))"
    let answer = memory.answer(question) {
      var names: Set<String> = []
      for directory in directories {
        for name in (try? FileSystem.entries(of: directory)) ?? [] where condition(name) {
          if FileSystem.isExecutableFile(directory.appending(name)) { names.insert(name) }
        }
      }
      return names.sorted().joined(separator: " ")
    }
    return answer?.split(separator: " ").map(String.init) ?? []
  }

  func compiles(with ccache: FilePath, compiler: String, remoteStorage: String) -> Bool {
    let file = (try? FileSystem.realPath(ccache)) ?? ccache
    let question = "compiles \(compiler) \(remoteStorage) \(ProbeMemory.identity(of: file))"
    return memory.answer(question) { tryCompiler(ccache, compiler: compiler, remoteStorage: remoteStorage) } == "yes"
  }

  private func tryCompiler(_ ccache: FilePath, compiler: String, remoteStorage: String) -> String? {
    let directory = scratch.appending("trial.\(getpid())")
    let source = directory.appending("trial.c")
    let object = directory.appending("trial.o")
    defer { try? FileSystem.removeTree(directory) }
    do {
      try FileSystem.makeDirectories(directory, permissions: 0o700)
      try SmallFile.replace(source, with: "int fabrik_trial;\n")
    } catch {
      return nil
    }
    var environment = environment
    environment["CCACHE_DIR"] = directory.string
    environment["CCACHE_REMOTE_STORAGE"] = remoteStorage
    environment["CCACHE_REMOTE_ONLY"] = "1"
    let output = Subcommand.output(
      of: ccache, arguments: [compiler, "-c", source.string, "-o", object.string], environment: environment)
    return output == nil ? "no" : "yes"
  }

  func exists(_ path: FilePath) -> Bool {
    FileSystem.exists(path)
  }

  func canWrite(in directory: FilePath) -> Bool {
    var directory = directory
    while !FileSystem.exists(directory) {
      guard directory.removeLastComponent() else { return false }
    }
    return directory.withPlatformString { access($0, W_OK | X_OK) } == 0
  }

  func read(_ path: FilePath) -> String? {
    SmallFile.read(path)
  }
}
