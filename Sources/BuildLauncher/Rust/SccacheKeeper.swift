import BuildTools
import CSpawn
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

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

  /// Milliseconds. sccache waits a minute for each answer of a server that hangs; one that does not answer its keeper for
  /// twice this long does.
  private static let askInterval: CInt = 4000
  /// A server that was started with the build is up after a few milliseconds, unless the machine is very busy.
  private static let serverPatience = Duration.seconds(5)
  /// The daemon reads the compiler's libraries first.
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
    guard var keeper = SccacheKeeper(build: build, environment: environment) else {
      build.markAsOver()
      endGroup()
    }
    keeper.keep()
    // What is left are compilers whose daemon is gone, and which their callers run again.
    endGroup()
  }

  /// Starts the daemon; nil when the server does not answer, for without it the daemon fails.
  private init?(build: RustBuild, environment: Environment) {
    guard let descriptor = try? Sockets.connect(unix: build.instance.path(of: .control)) else { return nil }
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
            candidates, arguments, block, &mask,
            0, &process)
        }
      }
    }
    return error == 0 ? process : nil
  }

  /// Returns when all that can be waited for is over.
  private mutating func keep() {
    guard let connection = connect() else {
      build.markAsOver()
      return
    }
    let event = watch(connection)
    // From here on compilers run by themselves; those that are in the daemon's hands are another matter.
    build.markAsOver()
    try? connection.close()
    switch event {
    case .buildOver: finish(within: Self.endPatience, killingCompilers: true)
    case .serverGone: finish(within: Self.finishPatience, killingCompilers: false)
    // What the daemon waits for does not come: its clients go on by themselves when it is gone.
    case .serverSilent, .daemonGone: break
    }
  }

  private enum Event {
    case buildOver, serverGone, serverSilent, daemonGone
  }

  /// Returns when the daemon is to end, or has.
  private mutating func watch(_ daemon: FileDescriptor) -> Event {
    var isAsked = false
    while true {
      var requests = [control.descriptor, daemon].map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
      let count = poll(&requests, 2, Self.askInterval)
      if count < 0 { continue }
      if count == 0 {
        if isAsked { return .serverSilent }
        control.send(.init(ControlMessage.status))
        isAsked = true
        continue
      }
      if requests[1].revents != 0 { return .daemonGone }
      switch control.receive(within: .zero)?.verb {
      case ControlMessage.end: return .buildOver
      case ControlMessage.status:
        isAsked = false
        // It may have come in one piece with the answer.
        if control.receive(within: .zero)?.verb == ControlMessage.end { return .buildOver }
      default: return .serverGone
      }
    }
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

  /// Has the daemon end after what it is storing, and what it is compiling unless that is killed.
  private func finish(within patience: Duration, killingCompilers isBuildOver: Bool) {
    // Who finds no socket starts a daemon, or a server of his own; nobody new is to find this one.
    try? FileSystem.rename(build.socket, to: build.hiddenSocket)
    if isBuildOver { killCompilers() }
    let client = build.clientEnvironment(environment, socket: build.hiddenSocket)
    let deadline = ContinuousClock.now + patience
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
