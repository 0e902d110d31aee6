import BuildTools
import CSpawn
import ControlProtocol
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Owns the sccache daemon of a build, from the first compiler call that needs it to the build's end. Not the server's
/// child but the build's: compilers that the daemon runs have the build's limits, umask, priority and namespaces.
///
/// The leader of a session of its own, with the daemon and its compilers in its process group: a terminal's signals do
/// not reach them, and they end with it. The daemon is killed when its keeper is.
struct SccacheKeeper: ~Copyable {
  private let build: RustBuild
  private let environment: Environment
  /// Ends with the server; says `end` at the build's end.
  private var control: ControlConnection
  private let daemon: pid_t

  /// A server that was started with the build is up after a few milliseconds, unless the machine is very busy.
  private static let serverPatience = Duration.seconds(5)
  private static let startPatience = Duration.seconds(8)
  /// When the build is over, for entries that are on their way to the server.
  private static let endPatience = Duration.seconds(1)
  /// When the server is gone, for compilers that are running.
  private static let finishPatience = Duration.seconds(60)

  /// - Parameter arguments: the file of ``Rust/Settings``.
  static func run(arguments: [[UInt8]], environment: Environment) -> Never {
    guard let build = arguments.first.flatMap({ RustBuild(file: FilePath(bytes: $0)) }) else { exit(1) }
    signal(SIGPIPE, SIG_IGN)
    // Whoever started this process led its session until now.
    setsid()
    guard let keeper = SccacheKeeper(build: build, environment: environment) else {
      build.markAsOver()
      endGroup()
    }
    keeper.keep()
  }

  /// Starts the daemon; nil when the server does not answer, for without it the daemon fails.
  private init?(build: RustBuild, environment: Environment) {
    guard let descriptor = try? Sockets.connect(unix: build.instance.controlSocket) else { return nil }
    var control = ControlConnection(descriptor: descriptor)
    control.send(.init(ControlMessage.attend, ["lease": build.lease]))
    guard control.receive(within: Self.serverPatience)?.verb == ControlMessage.ready,
      let daemon = Self.start([], of: build, in: build.daemonEnvironment(environment))
    else { return nil }
    self.build = build
    self.environment = environment
    self.control = control
    self.daemon = daemon
  }

  private static func start(_ arguments: [String], of build: RustBuild, in environment: Environment) -> pid_t? {
    var mask = sigset_t()
    sigemptyset(&mask)
    sigprocmask(SIG_BLOCK, nil, &mask)
    let program = build.settings.sccache.bytes
    var process: pid_t = 0
    let error = CStringArray([program]).withPointer { candidates in
      CStringArray([program] + arguments.map { Array($0.utf8) }).withPointer { arguments in
        environment.withBlock { block in
          fabrik_spawn_command(
            UnsafeRawPointer(candidates).assumingMemoryBound(to: UnsafePointer<CChar>?.self), arguments, block, &mask,
            0, &process)
        }
      }
    }
    return error == 0 ? process : nil
  }

  private consuming func keep() -> Never {
    guard let connection = connect() else {
      build.markAsOver()
      Self.endGroup()
    }
    var requests = [control.descriptor, connection].map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
    while poll(&requests, 2, -1) < 0, errno == EINTR {}
    // From here on compilers run by themselves; those that are in the daemon's hands are another matter.
    build.markAsOver()
    try? connection.close()
    if requests[0].revents != 0 { finish() }
    // What is left are compilers whose daemon is gone, and which their callers run again.
    Self.endGroup()
  }

  /// A connection that lasts as long as the daemon; nil when it does not come up.
  private borrowing func connect() -> FileDescriptor? {
    let deadline = ContinuousClock.now + Self.startPatience
    while ContinuousClock.now < deadline, !hasEnded(daemon) {
      if let connection = try? Sockets.connect(unix: build.socket) { return connection }
      usleep(1000)
    }
    return nil
  }

  /// Has the daemon end: after what it is storing, and, when the server is gone but the build goes on, also after what it
  /// is compiling.
  private consuming func finish() {
    let isBuildOver = control.receive(within: .zero)?.verb == ControlMessage.end
    // Who finds no socket starts a daemon, or a server of his own; nobody new is to find this one.
    try? FileSystem.rename(build.socket, to: build.hiddenSocket)
    if isBuildOver { killCompilers() }
    let client = build.clientEnvironment(environment, socket: build.hiddenSocket)
    let deadline = ContinuousClock.now + (isBuildOver ? Self.endPatience : Self.finishPatience)
    guard let stopper = Self.start(["--stop-server"], of: build, in: client) else { return }
    for process in [stopper, daemon] {
      while !hasEnded(process), ContinuousClock.now < deadline { usleep(1000) }
    }
  }

  /// Compilers that are running when the build is over are those of a build that was interrupted.
  private borrowing func killCompilers() {
    let tasks = FilePath("/proc/\(daemon)/task")
    for task in (try? FileSystem.entries(of: tasks)) ?? [] {
      let children = SmallFile.read(tasks.appending(task).appending("children")) ?? ""
      for child in children.split(separator: " ").compactMap({ pid_t($0) }) { kill(child, SIGKILL) }
    }
  }

  /// Reaps it then.
  private borrowing func hasEnded(_ process: pid_t) -> Bool {
    var value: CInt = 0
    return Int(fabrik_wait_child(process, 1, &value)) != fabrik_wait_nothing || kill(process, 0) != 0
  }

  /// Ends this process and all it has started.
  private static func endGroup() -> Never {
    if getpgrp() == getpid() { kill(0, SIGKILL) }
    exit(1)
  }
}
