import Glibc
import SystemSupport
import Testing

@testable import BuildLauncher

@Suite("A command", .serialized)
struct CommandProcessTests {
  private static func isBlocked(_ signal: CInt) -> Bool {
    var mask = sigset_t()
    sigemptyset(&mask)
    pthread_sigmask(SIG_BLOCK, nil, &mask)
    return sigismember(&mask, signal) == 1
  }

  /// Runs `body` on a thread that takes SIGTERM, as a program's first thread does.
  private func takingSIGTERM(_ body: () throws -> Void) rethrows {
    var (only, before) = (sigset_t(), sigset_t())
    sigemptyset(&only)
    sigaddset(&only, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &only, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
  }

  private func start(_ program: String) throws(CommandProcess.Failure) -> CommandProcess {
    try CommandProcess(
      candidates: [Array(program.utf8)], arguments: [Array(program.utf8)], environment: Environment(),
      processes: LinuxProcessTable())
  }

  @Test("leaves signals as they were when it cannot be started")
  func missing() {
    takingSIGTERM {
      #expect(throws: CommandProcess.Failure.self) { _ = try start("/no/such/program").wait() }
      #expect(!Self.isBlocked(SIGTERM))
    }
  }

  @Test("has signals blocked until they are taken as before")
  func restored() throws {
    try takingSIGTERM {
      let command = try start("/bin/true")
      #expect(Self.isBlocked(SIGTERM))
      #expect(command.wait() == .exited(0))
      command.restoreSignals()
      #expect(!Self.isBlocked(SIGTERM))
    }
  }
}
