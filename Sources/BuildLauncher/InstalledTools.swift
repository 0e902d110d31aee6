import BuildTools
import Glibc
import SystemPackage
import SystemSupport

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
    lookup.firstExecutable(Array(name.utf8)).map { found in
      // Links are to lead to the program itself: a program that is reached by another name may ask for its own.
      guard let file = try? FileSystem.realPath(found), file.lastComponent?.string == name else { return found }
      return file
    }
  }

  func version(of program: FilePath, option: String) -> String? {
    let file = (try? FileSystem.realPath(program)) ?? program
    // A script, or a program that is many, looks where it is and decides anew which program it becomes.
    guard file.lastComponent == program.lastComponent, !Self.isScript(file) else {
      return askVersion(of: program, option: option)
    }
    return memory.answer("version \(option) \(ProbeMemory.identity(of: file))") {
      askVersion(of: program, option: option)
    }
  }

  private func askVersion(of program: FilePath, option: String) -> String? {
    var environment = environment
    // The version of the program itself: Go would fetch the one that the project asks for.
    environment["GOTOOLCHAIN"] = "local"
    let output = Subcommand.output(of: program, arguments: [option], environment: environment)
    // Name and features; licences and credits follow.
    return output?.split(separator: "\n").prefix(2).joined(separator: "\n")
  }

  private static func isScript(_ file: FilePath) -> Bool {
    guard let descriptor = try? FileDescriptor.open(file, .readOnly, options: [.closeOnExec]) else { return false }
    var start: [UInt8] = [0, 0]
    let count = (try? descriptor.closeAfter { try start.withUnsafeMutableBytes { try descriptor.read(into: $0) } }) ?? 0
    return count == 2 && start == Array("#!".utf8)
  }

  func programs(_ kind: String, where condition: (String) -> Bool) -> [Program] {
    let directories = lookup.directories.filter { $0.first == UInt8(ascii: "/") }.map { FilePath(bytes: $0) }
    let question = "programs \(kind) \(directories.map(ProbeMemory.identity).joined(separator: " "))"
    let answer = memory.answer(question) {
      search(directories, where: condition).map { "\($0.name)\t\($0.modified)\t\($0.file)" }.joined(separator: "\n")
    }
    return answer?.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: "\t", maxSplits: 2)
      guard fields.count == 3, let modified = Int(fields[1]) else { return nil }
      return Program(name: String(fields[0]), file: FilePath(String(fields[2])), modified: modified)
    } ?? []
  }

  private func search(_ directories: [FilePath], where condition: (String) -> Bool) -> [Program] {
    var found: [String: Program] = [:]
    for directory in directories {
      for name in (try? FileSystem.entries(of: directory)) ?? [] where condition(name) && found[name] == nil {
        let path = directory.appending(name)
        guard FileSystem.isExecutableFile(path), let status = try? FileSystem.status(path) else { continue }
        let file = (try? FileSystem.realPath(path)) ?? path
        found[name] = Program(name: name, file: file, modified: status.st_mtim.tv_sec)
      }
    }
    return found.values.sorted { $0.name < $1.name }
  }

  func compiles(with ccache: FilePath, compiler: Program, remoteStorage: String) -> Bool {
    let question =
      "compiles \(remoteStorage) \(ProbeMemory.identity(of: compiler.file)) \(ProbeMemory.identity(of: ccache))"
    // A failure is not remembered: its cause may be gone the next time.
    return memory.answer(question) {
      tryCompiler(ccache, compiler: compiler, remoteStorage: remoteStorage) ? "yes" : nil
    } == "yes"
  }

  /// Compiles through a link of the compiler's name, as builds will.
  private func tryCompiler(_ ccache: FilePath, compiler: Program, remoteStorage: String) -> Bool {
    let directory = scratch.appending("trial.\(getpid())")
    let (link, source, object) = (
      directory.appending(compiler.name), directory.appending("trial.c"), directory.appending("trial.o")
    )
    defer { try? FileSystem.removeTree(directory) }
    do {
      try FileSystem.makeDirectories(directory, permissions: 0o700)
      try FileSystem.makeSymbolicLink(link, to: ccache)
      try SmallFile.replace(source, with: "int fabrik_trial;\n")
    } catch {
      return false
    }
    var environment = environment
    environment["CCACHE_DIR"] = directory.string
    environment["CCACHE_REMOTE_STORAGE"] = remoteStorage
    environment["CCACHE_REMOTE_ONLY"] = "1"
    let output = Subcommand.output(
      of: link, arguments: ["-c", source.string, "-o", object.string], environment: environment)
    return output != nil && FileSystem.exists(object)
  }

  func objection(toCachingBy compiler: FilePath) -> String? {
    guard let library = SwiftToolchain.library.file else { return "\(SwiftToolchain.library.rawValue) is missing" }
    let place = scratch.appending("swift.\(getpid())")
    guard (try? FileSystem.makeDirectories(place, permissions: 0o700)) != nil else { return "it cannot be tried" }
    defer { try? FileSystem.removeTree(place) }
    let ability = SwiftToolchain(compiler: compiler).ability(
      library: library, memory: memory, failures: ProbeMemory(directory: place), scratch: place,
      environment: environment)
    if case .fails(let reason) = ability { return reason }
    return nil
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
