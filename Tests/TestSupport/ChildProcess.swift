package import SystemPackage
package import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A program started by a test, with its standard output in a file: what a killed program wrote is not lost.
package final class ChildProcess: Sendable {
  /// How a program ended.
  package enum Ending: Equatable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
  }

  private let process: pid_t
  private let outputFile: FilePath

  /// Where a program of this package lies: the test bundle is an executable beside the other products.
  package static func path(ofProduct product: String) throws -> FilePath {
    try FileSystem.realPath("/proc/self/exe").removingLastComponent().appending(product)
  }

  /// Starts a program of this package.
  package convenience init(
    product: String, arguments: [String], environment: Environment = Environment(["PATH": "/usr/bin:/bin"]),
    outputFile: FilePath
  ) throws {
    try self.init(
      program: Self.path(ofProduct: product), arguments: arguments, environment: environment, outputFile: outputFile)
  }

  /// Starts a program.
  package init(
    program: FilePath, arguments: [String], environment: Environment = Environment(["PATH": "/usr/bin:/bin"]),
    outputFile: FilePath
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputFile.string, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    // The threads that tests run on block signals; a program that inherits that cannot be ended from a terminal.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var process: pid_t = 0
    let error = program.withPlatformString { path in
      CStringArray([program.bytes] + arguments.map { Array($0.utf8) }).withPointer { arguments in
        environment.withBlock { posix_spawn(&process, path, &actions, &attributes, arguments, $0) }
      }
    }
    guard error == 0 else { throw Errno(rawValue: error) }
    self.process = process
    self.outputFile = outputFile
  }

  /// Waits for the end.
  package func wait() -> Ending {
    var status: CInt = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: status & 0x7f)
  }

  package func send(signal: CInt) {
    kill(process, signal)
  }

  /// The whole lines written so far.
  package var outputLines: [String] {
    guard let text = SmallFile.read(outputFile) else { return [] }
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  /// The whole lines written, as soon as there are `count`; fewer after 20 s.
  package func waitForOutput(lines count: Int) -> [String] {
    let deadline = SuspendingClock.now + .seconds(20)
    while outputLines.count < count, SuspendingClock.now < deadline { usleep(2000) }
    return outputLines
  }
}
