import BuildTools
import Configuration
import Glibc
import SystemPackage
import SystemSupport

/// A toolchain of Swift, asked whether its compiler's cache works with libFabrikCAS.so.
struct SwiftToolchain {
  /// The driver, as the build calls it.
  let compiler: FilePath

  /// The compiler loads it.
  static let library = InstalledPart.compilerLibrary

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

  /// Whether Swift's compiler can do it. It is asked once, by compiling a file twice, which takes some seconds; the answer
  /// holds until one of the files changes.
  ///
  /// - Parameters:
  ///   - memory: keeps that it works.
  ///   - failures: keeps why it does not, for a build.
  ///   - scratch: an existing private directory for the trial.
  func ability(
    library: FilePath, memory: ProbeMemory, failures: ProbeMemory, scratch: FilePath, environment: Environment
  ) -> Ability {
    let frontend = directory.appending("bin/swift-frontend")
    return ability("swift", of: frontend, library, memory, failures, scratch) { place in
      trial(of: frontend, library, place, environment)
    }
  }

  /// The same of the toolchain's clang.
  func clangAbility(
    library: FilePath, memory: ProbeMemory, failures: ProbeMemory, scratch: FilePath, environment: Environment
  ) -> Ability {
    let clang = clangCache.removingLastComponent().appending("clang")
    return ability("clang", of: clang, library, memory, failures, scratch) { place in
      trialOfClang(clang, library, place, environment)
    }
  }

  /// - Parameter trial: with a directory of its own; what it answers is remembered, unless it is nil.
  private func ability(
    _ name: String, of program: FilePath, _ library: FilePath, _ memory: ProbeMemory, _ failures: ProbeMemory,
    _ scratch: FilePath, trial: (FilePath) -> String?
  ) -> Ability {
    guard FileSystem.exists(program) else { return .fails(reason: "there is no \(program)") }
    guard isItself else { return .fails(reason: "it is another program, which runs a compiler of its choice") }
    let files = [compiler, program, library].map { ProbeMemory.identity(of: $0) }
    let question = "\(name) cache 1 \(files.joined(separator: " "))"
    if let reason = failures.answer(question, probe: { nil }) { return .fails(reason: reason) }
    var failure: String?
    let answer = memory.answer(question) {
      // Many compilers begin at once; one asks.
      let lock = try? FileLock(scratch.appending("trial.lock"))
      defer { lock?.release() }
      failure = failures.answer(question) { nil }
      if failure != nil { return nil }
      return memory.answer(question) {
        let place = scratch.appending("trial.\(getpid())")
        defer { try? FileSystem.removeTree(place) }
        guard (try? FileSystem.makeDirectories(place, permissions: 0o700)) != nil else { return nil }
        guard let answer = trial(place) else { return nil }
        if answer.hasPrefix(Self.yes) { return answer }
        // Its cause, a full disk perhaps, may be gone by the next build.
        failure = failures.answer(question) { answer }
        return nil
      }
    }
    guard let answer else { return .fails(reason: failure ?? "it could not be tried") }
    return .works(identity: String(answer.dropFirst(Self.yes.count)))
  }

  /// Whether the compiler is the one of its directory, and not a proxy that looks for one.
  private var isItself: Bool {
    let names = [compiler, directory.appending("bin/swift-frontend")].map {
      (try? FileSystem.realPath($0))?.lastComponent?.string
    }
    return ["swiftc", "swift-driver", "swift-frontend"].contains(names[0]) && names[1] == "swift-frontend"
  }

  private static let yes = "yes "

  /// Without what belongs to the build.
  private static func trialEnvironment(_ environment: Environment) -> Environment {
    var environment = environment
    for variable in [SwiftCompiler.socketVariable, SwiftCompiler.leaseVariable, SwiftCompiler.spillVariable] {
      environment[variable] = nil
    }
    return environment
  }

  private func trialOfClang(
    _ clang: FilePath, _ library: FilePath, _ place: FilePath, _ environment: Environment
  ) -> String? {
    let (source, directory) = (place.appending("trial.c"), place.appending("cas"))
    guard let identity = FileDigest.hex(of: clang), (try? SmallFile.replace(source, with: "int trial;\n")) != nil else {
      return nil
    }
    var environment = Self.trialEnvironment(environment)
    for (name, value) in Self.clangVariables(library: library, directory: directory, identity: identity) {
      environment[name] = value
    }
    func compile(by words: [FilePath], to name: String) -> [UInt8]? {
      let object = place.appending(name)
      let output = Subcommand.output(
        of: words[0], arguments: words.dropFirst().map(\.string) + ["-c", source.string, "-o", object.string],
        environment: environment)
      return output == nil ? nil : SmallFile.readBytes(object, limit: 1 << 20)
    }
    guard let plain = compile(by: [clang], to: "plain.o") else { return nil }
    for name in ["first.o", "second.o"] where compile(by: [clangCache, clang], to: name) != plain {
      return "its clang does not know how to cache"
    }
    guard (try? FileSystem.entries(of: directory.appending("actions")))?.isEmpty == false else {
      return "its clang does not use \(Self.library.rawValue)"
    }
    return Self.yes + identity
  }

  /// nil: not to be remembered.
  private func trial(
    of frontend: FilePath, _ library: FilePath, _ place: FilePath, _ environment: Environment
  ) -> String? {
    guard let identity = FileDigest.hex(of: frontend) else { return "there is no \(frontend)" }
    let source = place.appending("trial.swift")
    guard (try? SmallFile.replace(source, with: "public func trial() -> Int { 1 }\n")) != nil else { return nil }
    let environment = Self.trialEnvironment(environment)
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
      return "its compiler does not use \(Self.library.rawValue)"
    }
    guard compile(to: "second.o", with: options) == first else { return "its compiler's cache does not work" }
    return Self.yes + identity
  }

  /// The program that runs the toolchain's clang with its cache.
  var clangCache: FilePath { compiler.removingLastComponent().appending("clang-cache") }

  /// What makes clang-cache ask the library.
  static func clangVariables(library: FilePath, directory: FilePath, identity: String) -> [(String, String)] {
    [
      ("LLVM_CACHE_CAS_PATH", directory.string), ("LLVM_CACHE_PLUGIN_PATH", library.string),
      ("LLVM_CACHE_PLUGIN_OPTIONS", "toolchain=\(identity)"),
      // Its form of object files, which it knows for Mach-O alone: for ELF it ends with a signal.
      ("CLANG_CACHE_DISABLE_MCCAS", "1"),
    ]
  }

  /// What makes the driver's compilations cached ones.
  static func options(library: FilePath, directory: FilePath, identity: String) -> [String] {
    [
      "-cache-compile-job", "-explicit-module-build", "-cas-path", directory.string, "-cas-plugin-path", library.string,
      "-cas-plugin-option", "toolchain=\(identity)",
    ]
  }

  /// The files that are compiled together are a part of the key; otherwise it depends on the number of processors.
  static let batchOptions = ["-driver-batch-count", "\(batchCount)"]

  /// As many compilations of a module's files, in a build for debugging, as most machines run at once. Each costs a tenth
  /// of a second when it comes from the cache.
  private static let batchCount = 4
}
