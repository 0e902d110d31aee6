package import SystemPackage
package import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A program started by a test, with its standard output in a file: what a killed program wrote is not lost.
package final class ChildProcess {
  /// How a program ended.
  package enum Ending: Equatable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
  }

  private let process: pid_t
  private let outputFile: FilePath

  /// Starts a program of this package.
  package init(
    product: String, arguments: [String], environment: Environment = Environment(["PATH": "/usr/bin:/bin"]),
    outputFile: FilePath
  ) throws {
    // The test bundle is an executable that lies beside the other products.
    let program = try FileSystem.realPath("/proc/self/exe").removingLastComponent().appending(product)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputFile.string, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    var process: pid_t = 0
    let error = program.withPlatformString { path in
      CStringArray([program.bytes] + arguments.map { Array($0.utf8) }).withPointer { arguments in
        environment.withBlock { posix_spawn(&process, path, &actions, nil, arguments, $0) }
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
}
