import Foundation
import Glibc
import SystemSupport
import TestSupport

/// A home, a cache and a runtime directory of a test's own, and the release binaries on the PATH. Servers that were
/// started in it end with it.
final class Sandbox {
  let path: String
  var environment: Environment
  /// Servers that have been seen and may not be gone yet.
  private var known: Set<pid_t> = []

  /// Where `make test` has built the programs; beside the tests otherwise.
  static let binaries: String =
    ProcessInfo.processInfo.environment["FABRIK_TEST_BINARIES"]
    ?? URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().path

  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .path

  /// - Parameter ccache: the version that builds find first.
  init(ccache: InstalledCCache? = nil) throws {
    var template = Array("/tmp/fabrik-test.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Unexpected("mkdtemp: \(errno)") }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    for directory in ["home", "run", "work"] { mkdir("\(path)/\(directory)", 0o700) }
    var inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    if let ccache { inherited = "\(ccache.directory):\(inherited)" }
    environment = Environment([
      "HOME": "\(path)/home", "XDG_RUNTIME_DIR": "\(path)/run", "PATH": "\(Self.binaries):\(inherited)",
      "LANG": "C.UTF-8", "FABRIK_LINGER": "2s",
      // Tests do not speak to the machine's own network.
      "FABRIK_P2P_INTERFACES": "lo",
    ])
  }

  deinit {
    for server in servers() { kill(server, SIGKILL) }
    try? FileManager.default.removeItem(atPath: path)
  }

  /// How a script ended and what it printed.
  struct Outcome {
    /// As wait(2) gives it.
    let status: CInt
    let output: String
    let errors: String

    var exitStatus: CInt { status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f) }
    var signal: CInt { status & 0x7f }
  }

  /// Runs a bash script in `work`, standard input at its end.
  @discardableResult
  func run(_ script: String, environment changes: KeyValuePairs<String, String> = [:]) throws -> Outcome {
    try run(["bash", "-c", script], environment: changes)
  }

  func run(_ arguments: [String], environment changes: KeyValuePairs<String, String> = [:]) throws -> Outcome {
    let (output, errors) = ("\(path)/output.\(UUID().uuidString)", "\(path)/errors.\(UUID().uuidString)")
    var environment = environment
    for (name, value) in changes { environment[name] = value }
    let streams = [
      open("/dev/null", O_RDONLY | O_CLOEXEC), open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600),
      open(errors, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600),
    ]
    defer { for stream in streams { close(stream) } }
    let child = try ChildProcess(
      arguments, environment: environment, directory: "\(path)/work", streams: .descriptors(streams))
    let ending = child.wait()
    let outcome = Outcome(status: child.status ?? 0, output: try text(output), errors: try text(errors))
    guard ending != .lasted else { throw Unexpected("did not end: \(arguments)\n\(outcome.output)\(outcome.errors)") }
    return outcome
  }

  private func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
  }

  func write(_ text: String, to name: String) throws {
    let url = URL(fileURLWithPath: "\(path)/work/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  /// How many entries its store has.
  var entries: Int {
    get throws {
      let text = try run("fabrik cache stats --json").output
      guard let match = text.firstMatch(of: /"entries":(\d+)/), let count = Int(match.1) else {
        throw Unexpected("no count of entries: \(text)")
      }
      return count
    }
  }

  // MARK: - Servers

  /// The servers of this sandbox that are running.
  func servers() -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let found = names.compactMap { pid_t($0) }.filter { process in
      guard let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else { return false }
      let text = String(decoding: line, as: UTF8.self)
      return text.prefix { $0 != "\0" }.hasSuffix("fabrik-server") && text.contains("\(path)/run/")
    }
    known.formUnion(found)
    return found
  }

  /// Waits until so many servers run. One that was just started has its launcher's work behind it and no name yet.
  func awaitServers(_ count: Int = 1) throws -> [pid_t] {
    var found: [pid_t] = []
    try eventually("\(count) servers run") {
      found = servers()
      return found.count == count
    }
    return found
  }

  func waitForServersToEnd() throws {
    try eventually("the servers end") {
      // One that is just being started has no name yet, but its launcher's sockets.
      let sockets = FileManager.default.contents(atPath: "/proc/net/unix").map { String(decoding: $0, as: UTF8.self) }
      let isNoneThere = servers().isEmpty && sockets?.contains("\(path)/run/") != true
      // A process has lost its name before it lets go of its files.
      known = known.filter(Self.isRunning)
      return isNoneThere && known.isEmpty
    }
  }

  func endServers(by signal: CInt = SIGTERM) throws {
    for server in servers() { kill(server, signal) }
    try waitForServersToEnd()
  }

  /// Whether a process is running. One that has ended and that nobody has waited for yet is not; its first thread may
  /// end before the others do.
  static func isRunning(_ process: pid_t) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    let isOver = text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst(2).first == "Z"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
    return !isOver || threads.count > 1
  }
}
