import Glibc
import SystemSupport

/// A program started by a test, with its standard streams on pipes or on a terminal.
final class ChildProcess {
  let pid: pid_t
  private var rawStatus: CInt?

  /// `POSIX_SPAWN_SETSID`, which Swift's Glibc module does not show.
  private static let newSession: Int16 = 0x80

  /// - Parameters:
  ///   - streams: the descriptors that become 0, 1 and 2; nil: the terminal.
  ///   - terminal: a path; the program leads a new session on it.
  init(
    _ arguments: [String], environment: Environment, directory: String, streams: [CInt]? = nil, terminal: String? = nil
  ) throws {
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
    if let terminal {
      // The first terminal a session leader opens becomes its controlling terminal.
      for descriptor: CInt in 0...2 { posix_spawn_file_actions_addopen(&actions, descriptor, terminal, O_RDWR, 0) }
      flags |= Self.newSession
    } else if let streams {
      for (number, descriptor) in streams.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(number))
      }
    }
    posix_spawnattr_setflags(&attributes, flags)
    var process: pid_t = 0
    // Swift's Glibc module has no way to set a spawned program's directory; `env` has, and takes its own place.
    let error = CStringArray((["env", "-C", directory] + arguments).map { Array($0.utf8) }).withPointer { arguments in
      environment.withBlock { posix_spawnp(&process, arguments[0]!, &actions, &attributes, arguments, $0) }
    }
    guard error == 0 else { throw Unexpected("cannot start \(arguments[0]): \(String(cString: strerror(error)))") }
    pid = process
  }

  /// Waits for the end; the status as wait(2) gives it.
  @discardableResult
  func wait() -> CInt {
    if let rawStatus { return rawStatus }
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    rawStatus = status
    return status
  }
}

/// What a test did not expect.
struct Unexpected: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Looks again until a condition holds. The deadline is a bound against hangs, not a measurement.
func eventually(_ what: String, within seconds: Int = 20, _ condition: () throws -> Bool) throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try !condition() {
    guard ContinuousClock.now < deadline else { throw Unexpected("in vain: \(what)") }
    usleep(5000)
  }
}
