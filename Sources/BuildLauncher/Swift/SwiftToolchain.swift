import BuildTools
import Configuration
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A toolchain of Swift, asked whether its compiler's cache works with libFabrikCAS.so.
struct SwiftToolchain {
  /// The driver, as the build calls it.
  let compiler: FilePath

  static let libraryName = "libFabrikCAS.so"
  /// The compiler loads it.
  static var library: FilePath? { InstalledLibrary.locate(libraryName) }

  /// The directory that has `bin` and `lib`.
  var directory: FilePath {
    let file = (try? FileSystem.realPath(compiler)) ?? compiler
    return file.removingLastComponent().removingLastComponent()
  }

  /// What was found out.
  enum Ability: Equatable {
    /// `identity`: a digest of the compiler itself.
    case works(identity: String)
    case fails(reason: String)
  }

  /// Whether the toolchain can do it. It is asked once, by compiling a file twice, which takes some seconds; the answer
  /// holds until one of the files changes.
  ///
  /// - Parameter scratch: an existing private directory for the trial.
  func ability(library: FilePath, memory: ProbeMemory, scratch: FilePath, environment: Environment) -> Ability {
    let frontend = directory.appending("bin/swift-frontend")
    let question =
      "swift cache 1 \(ProbeMemory.identity(of: compiler)) \(ProbeMemory.identity(of: frontend)) "
      + ProbeMemory.identity(of: library)
    let answer = memory.answer(question) {
      // Many compilers begin at once; one asks.
      let lock = try? FileDescriptor.open(
        scratch.appending("swift-trial.lock"), .readWrite, options: [.create, .closeOnExec],
        permissions: .ownerReadWrite)
      defer { try? lock?.close() }
      if let lock { while flock(lock.rawValue, LOCK_EX) != 0, errno == EINTR {} }
      return memory.answer(question) { trial(library: library, frontend: frontend, scratch, environment) }
    }
    guard let answer else { return .fails(reason: "it could not be tried") }
    return answer.hasPrefix(Self.yes)
      ? .works(identity: String(answer.dropFirst(Self.yes.count))) : .fails(reason: answer)
  }

  private static let yes = "yes "

  /// nil: not to be remembered.
  private func trial(
    library: FilePath, frontend: FilePath, _ scratch: FilePath, _ environment: Environment
  ) -> String? {
    guard let identity = FileDigest.hex(of: frontend) else { return "there is no \(frontend)" }
    let place = scratch.appending("swift-trial.\(getpid())")
    defer { try? FileSystem.removeTree(place) }
    let source = place.appending("trial.swift")
    do {
      try FileSystem.makeDirectories(place, permissions: 0o700)
      try SmallFile.replace(source, with: "public func trial() -> Int { 1 }\n")
    } catch {
      return nil
    }
    var environment = environment
    for variable in [SwiftCompiler.socketVariable, SwiftCompiler.leaseVariable, SwiftCompiler.spillVariable] {
      environment[variable] = nil
    }
    func compile(to name: String, with options: [String]) -> [UInt8]? {
      let object = place.appending(name)
      let output = Subcommand.output(
        of: compiler,
        arguments: ["-c", source.string, "-o", object.string, "-parse-as-library", "-module-name", "trial"] + options,
        environment: environment)
      return output == nil ? nil : SmallFile.readBytes(object, limit: 1 << 20)
    }
    guard compile(to: "plain.o", with: []) != nil else { return nil }
    let options = Self.options(library: library, directory: place.appending("cas"), identity: identity)
    guard let first = compile(to: "first.o", with: options) else {
      return "its compiler does not know how to cache (Swift 6.3 does)"
    }
    let records = place.appending("cas/actions")
    guard (try? FileSystem.entries(of: records))?.isEmpty == false else {
      return "its compiler does not use \(Self.libraryName)"
    }
    guard compile(to: "second.o", with: options) == first else { return "its compiler's cache does not work" }
    return Self.yes + identity
  }

  /// What makes the driver's compilations cached ones.
  static func options(library: FilePath, directory: FilePath, identity: String) -> [String] {
    [
      "-cache-compile-job", "-explicit-module-build", "-cas-path", directory.string, "-cas-plugin-path", library.string,
      "-cas-plugin-option", "toolchain=\(identity)",
      // The files that are compiled together are a part of the key; otherwise it depends on the number of processors.
      "-driver-batch-count", "\(batchCount)",
    ]
  }

  /// As many compilations of a module's files, in a build for debugging, as most machines run at once.
  private static let batchCount = 4
}
