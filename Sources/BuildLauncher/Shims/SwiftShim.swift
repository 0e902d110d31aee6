import BuildTools
import Configuration
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

/// Swift's compiler, with its own cache switched on and libFabrikCAS.so behind it. Whatever goes wrong here, the compiler
/// runs as it was called.
struct SwiftShim {
  private let compiler: FilePath
  /// Without the compiler.
  private let arguments: [[UInt8]]
  private let environment: Environment

  /// - Parameter arguments: the compiler's path, and its arguments.
  static func run(arguments: [[UInt8]], environment: Environment) -> Never {
    guard let compiler = arguments.first else {
      StandardStream.error.write(
        line: "fabrik: \(SwiftCompiler.shim) is called by libfabrik-exec.so, with a compiler to run")
      exit(ExitStatus.usage)
    }
    let shim = SwiftShim(
      compiler: FilePath(bytes: compiler), arguments: Array(arguments.dropFirst()), environment: environment)
    let isClang = shim.compiler.lastComponent?.string.hasPrefix("clang") == true
    if isClang { shim.becomeCachedClang() } else if let options = shim.cachingOptions() { shim.runCached(options) }
    shim.becomeCompiler()
  }

  /// For who has called the compiler by its name.
  ///
  /// - Parameter arguments: with the name it was called by.
  static func runNext(arguments: [[UInt8]], environment: Environment) -> Never {
    let call = ShimCall(arguments: arguments, environment: environment)
    guard let program = call.program else { call.run() }
    run(arguments: [program.bytes] + arguments.dropFirst(), environment: call.environment)
  }

  private func becomeCompiler() -> Never {
    let failure = CommandProcess.replace(
      candidates: [compiler.bytes], arguments: [compiler.bytes] + arguments, environment: environment)
    StandardStream.error.write(line: "\(compiler): \(failure.errno)")
    exit(failure.exitStatus)
  }

  // MARK: - Clang

  /// Executes clang with its cache; returns when the call is to stay as it is.
  private func becomeCachedClang() {
    guard let directory = environment.absolutePath(SwiftCompiler.directoryVariable),
      let library = SwiftToolchain.library.file,
      // Lists of paths and options are taken apart there.
      !library.string.contains(":"), ClangCall.isCacheable(arguments.map { String(decoding: $0, as: UTF8.self) }),
      makeReady(directory)
    else { return }
    let toolchain = SwiftToolchain(compiler: compiler.removingLastComponent().appending(SwiftCompiler.compiler))
    guard
      case .works(let identity) = toolchain.clangAbility(
        library: library, memory: memory, failures: failures(directory), scratch: directory, environment: environment)
    else { return }
    var environment = environment
    for (name, value) in SwiftToolchain.clangVariables(library: library, directory: directory, identity: identity) {
      environment[name] = value
    }
    _ = CommandProcess.replace(
      candidates: [toolchain.clangCache.bytes], arguments: [toolchain.clangCache.bytes, compiler.bytes] + arguments,
      environment: environment)
  }

  // MARK: - Caching

  /// The build's own directory, if it has one.
  private func failures(_ directory: FilePath) -> ProbeMemory {
    ProbeMemory(
      directory: environment.absolutePath(SwiftCompiler.spillVariable)?.removingLastComponent() ?? directory)
  }

  private var memory: ProbeMemory {
    ProbeMemory(StandardPaths(environment: environment))
  }

  /// Bytes below which a disk is taken for full: the compiler, when it cannot write, fails.
  private static let room: UInt64 = 256 << 20

  /// What a mapped directory is taken for. The compiler's own way to write a path that nobody has.
  private static let mappedName = "/^src"

  private static let incremental = Array(SwiftCall.incrementalOption.utf8)

  /// What to add to the arguments; nil when the call is to stay as it is. Tries out the toolchain if that was not done yet.
  private func cachingOptions() -> [String]? {
    guard let directory = environment.absolutePath(SwiftCompiler.directoryVariable),
      let library = SwiftToolchain.library.file, !SwiftCall.isCompilerReplaced(in: environment)
    else {
      return nil
    }
    let toolchain = SwiftToolchain(compiler: compiler)
    let call = SwiftCall(
      arguments.map { String(decoding: $0, as: UTF8.self) }, toolchain: toolchain.directory)
    if case .plain = call.verdict { return nil }
    // Reports of coverage find sources by their paths, tests find their files by them.
    let mayMap =
      call.verdict == .cached && !call.namesSources && !call.hasRelativeSource
      && (!call.isIncremental || arguments.contains(Self.incremental))
    guard makeReady(directory) else { return nil }
    guard
      case .works(let identity) = toolchain.ability(
        library: library, memory: memory, failures: failures(directory), scratch: directory, environment: environment)
    else { return nil }
    var options = SwiftToolchain.options(library: library, directory: directory, identity: identity)
    if !call.hasBatchCount { options += SwiftToolchain.batchOptions }
    // Otherwise another one is chosen than without the cache.
    if !call.hasDiagnosticStyle { options += ["-diagnostic-style", "swift"] }
    if call.verdict == .partlyCached {
      options += ["-Xfrontend", "-cache-disable-replay", "-cas-plugin-option", "sharing=off"]
    }
    if mayMap, let directory = environment.absolutePath(SwiftCompiler.mappedVariable),
      let root = try? FileSystem.realPath(directory)
    {
      options += ["-scanner-prefix-map-paths", root.string, Self.mappedName, "-cas-plugin-option", "mapped=\(root)"]
    }
    // Conditions that no source asks for: what has to be in a key, and is not.
    options += ["-D", "FABRIK_OUTPUTS_\(ShortHash.name(of: Array(call.outputs.joined(separator: " ").utf8)))"]
    if call.hasRelativeSource, let here = try? FileSystem.currentDirectory() {
      options += ["-D", "FABRIK_DIRECTORY_\(ShortHash.name(of: here.bytes))"]
    }
    for macro in call.macros {
      let digest = memory.answer("digest \(ProbeMemory.identity(of: macro))") { FileDigest.hex(of: macro) }
      guard let digest else { return nil }
      options += ["-D", "FABRIK_MACRO_\(digest)"]
    }
    return options
  }

  private func makeReady(_ directory: FilePath) -> Bool {
    guard (try? FileSystem.makeDirectories(directory, permissions: 0o700)) != nil,
      directory.withPlatformString({ access($0, W_OK | X_OK) }) == 0
    else { return false }
    var status = statvfs()
    guard directory.withPlatformString({ statvfs($0, &status) }) == 0 else { return false }
    return UInt64(status.f_bavail) >= Self.room / UInt64(max(1, status.f_frsize))
  }

  /// Whether the driver itself has crashed: it looks for the modules that sources import when the cache is on.
  private static func isCrash(_ ending: CommandProcess.Ending) -> Bool {
    guard case .killed(let signal) = ending else { return false }
    return [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV].contains(signal)
  }

  /// Nanoseconds since 1970.
  private static func time(_ status: stat) -> Int64 {
    Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
  }

  /// When the driver has noticed a compiler's crash (the last, of several); nil: none.
  private static func timeOfCrash(_ directory: FilePath) -> Int64? {
    guard (try? FileSystem.entries(of: directory))?.isEmpty == false else { return nil }
    return (try? FileSystem.status(directory)).map(time)
  }

  /// Where the driver leaves what reproduces the crash of a compiler that was run with its cache.
  private static let crashVariable = "SWIFT_CRASH_DIAGNOSTICS_DIR"

  /// Runs the compiler with its cache, and, if it then misses what it has put there, or crashes, without. Some errors crash
  /// a compiler that keeps diagnostics for its cache (6.3.1), where without it they are told.
  private func runCached(_ options: [String]) {
    let place = environment.absolutePath(SwiftCompiler.spillVariable)?.removingLastComponent()
    let mark = place?.appending("missed.\(getpid())")
    var environment = environment
    let crashes = environment.nonEmpty(Self.crashVariable) == nil ? place?.appending("crashes.\(getpid())") : nil
    if let crashes {
      environment[Self.crashVariable] = crashes.string
      try? FileSystem.makeDirectories(crashes, permissions: 0o700)
    }
    defer { if let crashes { try? FileSystem.removeTree(crashes) } }
    environment[SwiftCompiler.missedVariable] = mark?.string
    // That of an earlier call, whose number was the same: a compilation may go well and miss something.
    if let mark { try? FileSystem.remove(mark) }
    // What the driver remembers of a module names files of the directory that the result was made in. Files that have
    // not changed come from the cache.
    let isMapped = options.contains(Self.mappedName)
    let arguments = isMapped ? arguments.filter { $0 != Self.incremental } : arguments
    guard
      let command = try? CommandProcess(
        candidates: [compiler.bytes], arguments: [compiler.bytes] + arguments + options.map { Array($0.utf8) },
        environment: environment, processes: LinuxProcessTable())
    else { return }
    let ending = command.wait()
    let firstCrash = crashes.flatMap(Self.timeOfCrash)
    let firstMiss = mark.flatMap { try? FileSystem.status($0) }.map(Self.time)
    if let mark { try? FileSystem.remove(mark) }
    guard ending != .exited(0), firstCrash != nil || firstMiss != nil || Self.isCrash(ending) else {
      if let crashes { try? FileSystem.removeTree(crashes) }
      ending.reproduce()
    }
    command.restoreSignals()
    // What reproduces a crash is looked for in the cache, too, where not all of it is: such a miss comes later.
    guard let firstMiss, firstCrash.map({ firstMiss <= $0 }) ?? true else {
      StandardStream.error.write(line: "fabrik: the compiler has crashed with its cache; compiling without it")
      return
    }
    // What is not whole stays so.
    if let directory = environment.absolutePath(SwiftCompiler.directoryVariable) {
      // As the server names what it removes.
      let aside = directory.removingLastComponent().appending("removed.\(UInt64.random(in: 0...UInt64.max))")
      if (try? FileSystem.rename(directory, to: aside)) != nil { try? FileSystem.removeTree(aside) }
    }
    StandardStream.error.write(line: "fabrik: the compiler's cache is not whole; compiling without it")
  }
}
