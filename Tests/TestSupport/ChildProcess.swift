package import Glibc
import Synchronization
package import SystemPackage
package import SystemSupport

/// A program started by a test.
///
/// It leads a process group, so that all of it can be ended when it lasts for too long.
package final class ChildProcess: Sendable {
  /// How a program ended.
  package enum Ending: Equatable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
    /// It did not end in time, and was killed with its process group.
    case lasted
  }

  /// What its descriptors 0, 1 and 2 are. It has no others.
  package enum Streams {
    /// Nothing to read; standard output is appended to a file, so that what a killed program wrote is not lost.
    case output(FilePath)
    case descriptors([CInt])
    /// The terminal of this path, on which it leads a new session.
    case terminal(String)
  }

  package let process: pid_t
  private let outputFile: FilePath?
  private let ended = Mutex<CInt?>(nil)

  /// `POSIX_SPAWN_SETSID`, which Swift's Glibc module does not show.
  private static let newSession: Int16 = 0x80

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

  /// Starts a program with its standard output in a file.
  package convenience init(
    program: FilePath, arguments: [String], environment: Environment = Environment(["PATH": "/usr/bin:/bin"]),
    outputFile: FilePath
  ) throws {
    try self.init([program.string] + arguments, environment: environment, streams: .output(outputFile))
  }

  /// Starts a program in a directory.
  package convenience init(
    _ arguments: [String], environment: Environment, directory: String, streams: Streams
  ) throws {
    // Swift's Glibc module has no way to set a spawned program's directory; `env` has, and takes its own place.
    try self.init(["env", "-C", directory] + arguments, environment: environment, streams: streams)
  }

  private init(_ arguments: [String], environment: Environment, streams: Streams) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Threads of the test runner block most signals, which a program would inherit.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var flags = Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
    switch streams {
    case .output(let file):
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_addopen(&actions, 1, file.string, O_WRONLY | O_CREAT | O_APPEND, 0o600)
      flags |= Int16(POSIX_SPAWN_SETPGROUP)
      outputFile = file
    case .descriptors(let descriptors):
      for (number, descriptor) in descriptors.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(number))
      }
      flags |= Int16(POSIX_SPAWN_SETPGROUP)
      outputFile = nil
    case .terminal(let path):
      // The first terminal a session leader opens becomes its controlling terminal.
      for descriptor: CInt in 0...2 { posix_spawn_file_actions_addopen(&actions, descriptor, path, O_RDWR, 0) }
      flags |= Self.newSession
      outputFile = nil
    }
    // What other tests have open must not be inherited: it would keep sockets, locks and scripts busy. A number that is
    // not open is no error below the limit for open files, which is 1024 or more. Swift's Glibc module does not show
    // posix_spawn_file_actions_addclosefrom_np.
    for descriptor: CInt in 3..<1024 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    posix_spawnattr_setflags(&attributes, flags)
    var process: pid_t = 0
    let error = CStringArray(arguments.map { Array($0.utf8) }).withPointer { arguments in
      environment.withBlock { posix_spawnp(&process, arguments[0]!, &actions, &attributes, arguments, $0) }
    }
    guard error == 0 else { throw Unexpected("cannot start \(arguments[0]): \(Errno(rawValue: error))") }
    self.process = process
  }

  /// As wait(2) gives it; nil while it runs.
  package var status: CInt? {
    ended.withLock { ended in
      var status: CInt = 0
      if ended == nil, waitpid(process, &status, WNOHANG) == process { ended = status }
      return ended
    }
  }

  /// Waits for the end. The patience is a bound against hangs, not a measurement.
  @discardableResult
  package func wait(within patience: Duration = .seconds(240)) -> Ending {
    let deadline = ContinuousClock.now + patience
    while true {
      if let status { return status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: status & 0x7f) }
      guard ContinuousClock.now < deadline else { break }
      usleep(2000)
    }
    ended.withLock { ended in
      kill(-process, SIGKILL)
      var status: CInt = 0
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
      ended = status
    }
    return .lasted
  }

  /// Sends it a signal unless it has been waited for.
  package func send(signal: CInt) {
    ended.withLock { if $0 == nil { kill(process, signal) } }
  }

  /// The whole lines written so far.
  package var outputLines: [String] {
    guard let text = outputFile.flatMap(SmallFile.read) else { return [] }
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  /// The whole lines written, as soon as there are `count`; fewer when they do not come.
  package func waitForOutput(lines count: Int) -> [String] {
    try? eventually("\(count) lines are written") { outputLines.count >= count }
    return outputLines
  }
}
