import BuildTools
import CSpawn
import Glibc
import SystemPackage
import SystemSupport

/// What cargo calls as `RUSTC_WRAPPER`, with the compiler as the first argument: takes the place of sccache where it can
/// help, and of the compiler everywhere else. Whatever goes wrong here, the compiler runs.
///
/// The build has one sccache daemon, started by whoever needs it first.
struct RustShim {
  private let arguments: [[UInt8]]
  private let environment: Environment

  /// A daemon is up after some ten milliseconds, unless the machine is very busy.
  private static let startPatience = Duration.seconds(8)
  /// Of others, which wait while one starts it.
  private static let lockPatience = Duration.seconds(10)

  static func run(arguments: [[UInt8]], environment: Environment) -> Never {
    let shim = RustShim(arguments: arguments, environment: environment)
    if RustCall(arguments).isWorthAsking, let build = RustBuild(environment: environment), shim.isServed(build) {
      shim.becomeSccache(of: build)
    }
    shim.becomeCompiler()
  }

  private func becomeSccache(of build: RustBuild) {
    let environment = build.clientEnvironment(RustCall.environment(environment), socket: build.socket)
    // Returns only when sccache cannot be executed.
    _ = CommandProcess.replace(
      candidates: [build.settings.sccache.bytes], arguments: [build.settings.sccache.bytes] + arguments,
      environment: environment)
  }

  private func becomeCompiler() -> Never {
    guard let compiler = arguments.first else {
      StandardStream.error.write(line: "fabrik: \(Rust.shim) is called by cargo, with a compiler to run")
      exit(ExitStatus.usage)
    }
    let candidates = CommandLookup(environment: environment).candidates(for: compiler)
    let failure = CommandProcess.replace(candidates: candidates, arguments: arguments, environment: environment)
    StandardStream.error.write(line: "\(String(decoding: compiler, as: UTF8.self)): \(failure.errno)")
    exit(failure.exitStatus)
  }

  /// Whether the build has a daemon that can be asked; starts it when nobody has.
  private func isServed(_ build: RustBuild) -> Bool {
    if build.isOver { return false }
    if build.isServed { return true }
    guard let lock = try? FileLock(build.lock, within: Self.lockPatience) else { return false }
    defer { lock.release() }
    // Somebody else may have started it, or tried to, meanwhile.
    if build.isOver { return false }
    if build.isServed { return true }
    guard !FileSystem.exists(build.mark), (try? SmallFile.create(build.mark, with: "")) != nil, start(build) else {
      build.markAsOver()
      return false
    }
    return true
  }

  private func start(_ build: RustBuild) -> Bool {
    let program = Installation.program
    let arguments = [Array(ToolShim.sccacheKeeper.rawValue.utf8), build.file.bytes]
    let error = program.withPlatformString { program in
      CStringArray(arguments).withPointer { arguments in
        environment.withBlock { fabrik_spawn_companion(program, arguments, $0) }
      }
    }
    guard error == 0 else { return false }
    let deadline = ContinuousClock.now + Self.startPatience
    while ContinuousClock.now < deadline, !build.isOver {
      if build.isServed { return true }
      usleep(1000)
    }
    return false
  }
}
