import Foundation
import Glibc
import SystemSupport

/// A home, a cache and a runtime directory of a test's own, and the release binaries on the PATH. Servers that were
/// started in it end with it.
final class Sandbox {
  let path: String
  var environment: Environment

  /// Where `make test` has built the programs; beside the tests otherwise.
  static let binaries: String =
    ProcessInfo.processInfo.environment["FABRIK_TEST_BINARIES"]
    ?? URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().path

  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .path

  init() throws {
    var template = Array("/tmp/fabrik-test.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Unexpected("mkdtemp: \(errno)") }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    for directory in ["home", "run", "work"] { mkdir("\(path)/\(directory)", 0o700) }
    let inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
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
      arguments, environment: environment, directory: "\(path)/work", streams: streams)
    let status = child.wait()
    return Outcome(status: status, output: try text(output), errors: try text(errors))
  }

  private func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
  }

  func write(_ text: String, to name: String) throws {
    let url = URL(fileURLWithPath: "\(path)/work/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  /// The servers of this sandbox that are running.
  func servers() -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { process in
      guard let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else { return false }
      let text = String(decoding: line, as: UTF8.self)
      return text.contains("fabrik-server") && text.contains("\(path)/run/")
    }
  }

  /// Whether a process is running. One that nobody has waited for yet is not.
  static func isRunning(_ process: pid_t) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    return text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst(2).first != "Z"
  }

  func waitForServersToEnd() throws {
    try eventually("the servers end") { servers().isEmpty }
  }
}
