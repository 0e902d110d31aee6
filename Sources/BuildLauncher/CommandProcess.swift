import CSpawn
import Glibc
import SystemPackage
import SystemSupport

/// COMMAND as a child that cannot be told from a program started by the shell itself: same process group, terminal,
/// descriptors, limits, signal mask and ignored signals.
///
/// The launcher's part in signals: what the terminal sends reaches the whole process group, COMMAND included, so it is
/// only waited out; what somebody sends to the launcher alone is passed on; when COMMAND stops, the launcher stops.
struct CommandProcess: ~Copyable {
  /// How a command ended.
  enum Ending: Sendable, Equatable {
    case exited(CInt)
    case killed(signal: CInt)
  }

  /// A command that did not start.
  struct Failure: Error {
    let errno: Errno

    /// 126: it is there, but cannot be run; 127: it is not there.
    var exitStatus: CInt { errno == .noSuchFileOrDirectory || errno == .notDirectory ? 127 : 126 }
  }

  private let process: pid_t
  private let waited: sigset_t
  private let processes: any ProcessTable
  /// As it was before.
  private let mask: sigset_t
  private let statuses: ChildStatuses

  /// Blocks all signals of this thread and starts the command with the mask that was in force before.
  init(
    candidates: [[UInt8]], arguments: [[UInt8]], environment: Environment, processes: any ProcessTable
  ) throws(Failure) {
    var all = sigset_t()
    var original = sigset_t()
    sigfillset(&all)
    sigprocmask(SIG_BLOCK, &all, &original)
    let statuses = ChildStatuses()
    var process: pid_t = 0
    let error = CStringArray(candidates).withPointer { candidates in
      CStringArray(arguments).withPointer { arguments in
        environment.withBlock { block in
          fabrik_spawn_command(
            candidates, arguments, block,
            &original, statuses.wereIgnored ? 1 : 0, &process)
        }
      }
    }
    guard error == 0 else {
      Self.restore(original, statuses)
      throw Failure(errno: Errno(rawValue: error))
    }
    self.process = process
    waited = all
    self.processes = processes
    mask = original
    self.statuses = statuses
  }

  /// Takes signals as before: for who goes on when the command has ended.
  func restoreSignals() { Self.restore(mask, statuses) }

  private static func restore(_ mask: sigset_t, _ statuses: ChildStatuses) {
    var mask = mask
    statuses.restore()
    sigprocmask(SIG_SETMASK, &mask, nil)
  }

  /// Replaces this process by the command; returns only when that fails.
  static func replace(candidates: [[UInt8]], arguments: [[UInt8]], environment: Environment) -> Failure {
    let error = CStringArray(candidates).withPointer { candidates in
      CStringArray(arguments).withPointer { arguments in
        environment.withBlock { block in
          fabrik_exec_command(
            candidates, arguments, block)
        }
      }
    }
    return Failure(errno: Errno(rawValue: error))
  }

  /// Waits for the command's end, relaying signals until then.
  ///
  /// - Parameter onInput: called when the kernel says that there is something new about a descriptor for which it was
  ///   asked to (`O_ASYNC`).
  func wait(onInput: () -> Void = {}) -> Ending {
    while true {
      if let ending = reap() { return ending }
      var isFromKernel: CInt = 0
      var sender: pid_t = 0
      var waited = waited
      let signal = fabrik_wait_signal(&waited, &isFromKernel, &sender)
      if signal == SIGIO, isFromKernel != 0 { onInput() }
      // A terminal that hangs up tells only the session's leader, which would have been COMMAND.
      if signal == SIGHUP, isFromKernel != 0, getsid(0) == getpid() { kill(process, SIGHUP) }
      if isFromKernel != 0 ? Self.concernsOneProcess(signal) : isMeantForLauncher(signal, sender: sender) {
        kill(process, signal)
      }
    }
  }

  /// Takes note of what became of the child: nil while it lives.
  private func reap() -> Ending? {
    while true {
      var value: CInt = 0
      switch Int(fabrik_wait_child(process, 1, &value)) {
      case fabrik_wait_exited: return .exited(value)
      case fabrik_wait_signaled: return .killed(signal: value)
      case fabrik_wait_stopped: stop(by: value)
      default: return nil
      }
    }
  }

  /// Stops this process as the command was stopped, so that the shell takes the terminal back; returns when somebody
  /// continues it. The shell continues the whole process group.
  private func stop(by signal: CInt) {
    var only = sigset_t()
    sigemptyset(&only)
    sigaddset(&only, signal)
    kill(getpid(), signal)
    // Delivered here, unless the kernel finds nobody who could continue us (an orphaned process group).
    sigprocmask(SIG_UNBLOCK, &only, nil)
    sigprocmask(SIG_BLOCK, &only, nil)
  }

  /// Signals the kernel raises for one process only: a timer or limit that was set before this program was started and
  /// would have struck COMMAND.
  private static func concernsOneProcess(_ signal: CInt) -> Bool {
    [SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ].contains(signal)
  }

  /// Whether a signal sent by a process was for this one, as opposed to its whole process group. A part of the build
  /// that signals its process group (`kill 0`) has reached COMMAND already.
  private func isMeantForLauncher(_ signal: CInt, sender: pid_t) -> Bool {
    guard signal != SIGCHLD else { return false }
    let launcher = getpid()
    return processes.firstAncestor(of: sender) { $0 == launcher } == nil
  }
}

extension CommandProcess.Ending {
  /// The exit status a shell sees.
  var shellStatus: CInt {
    switch self {
    case .exited(let status): status
    case .killed(let signal): 128 + signal
    }
  }

  /// Ends this process the same way.
  func reproduce() -> Never {
    if case .killed(let signal) = self {
      // COMMAND has left a core file, if one is wanted.
      fabrik_disable_core_dump()
      Glibc.signal(signal, SIG_DFL)
      var only = sigset_t()
      sigemptyset(&only)
      sigaddset(&only, signal)
      kill(getpid(), signal)
      sigprocmask(SIG_UNBLOCK, &only, nil)
    }
    _exit(shellStatus)
  }
}
