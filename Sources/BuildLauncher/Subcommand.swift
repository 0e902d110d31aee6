import CSpawn
import Glibc
import SystemPackage
import SystemSupport

/// Runs a program for what it prints.
enum Subcommand {
  /// Bytes of output that are kept.
  private static let limit = 65536

  /// Standard output, up to 64 KiB; nil when the program cannot be started or fails. Its standard error is discarded.
  static func output(of program: FilePath, arguments: [String], environment: Environment) -> String? {
    let statuses = ChildStatuses()
    defer { statuses.restore() }
    var ends: [CInt] = [0, 0]
    guard pipe(&ends) == 0 else { return nil }
    // One thread: nothing else can be started between the two calls.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var process: pid_t = 0
    let error = program.withPlatformString { path in
      CStringArray([program.bytes] + arguments.map { Array($0.utf8) }).withPointer { arguments in
        environment.withBlock { posix_spawn(&process, path, &actions, nil, arguments, $0) }
      }
    }
    close(ends[1])
    guard error == 0 else { return nil }
    let text = read(ends[0])
    var value: CInt = 0
    guard Int(fabrik_wait_child(process, 0, &value)) == fabrik_wait_exited, value == 0 else { return nil }
    return text
  }

  private static func read(_ descriptor: CInt) -> String {
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    // To its end: a program that cannot write does not end.
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      text += buffer[..<min(count, limit - text.count)]
    }
    return String(decoding: text, as: UTF8.self)
  }
}
