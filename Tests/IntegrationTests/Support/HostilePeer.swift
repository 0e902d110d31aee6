import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// The program `hostile-peer`: a member of the team that does not keep to the rules.
final class HostilePeer {
  private let child: ChildProcess
  private let output: String
  private var isWaitedFor = false

  /// - Parameters:
  ///   - mode: what it does; see the program.
  ///   - sandbox: where its output is kept.
  init(_ mode: String, _ options: [String] = [], secret: String, in sandbox: Sandbox) throws {
    output = "\(sandbox.path)/hostile.\(UUID().uuidString)"
    let program = "\(try ChildProcess.path(ofProduct: "hostile-peer"))"
    let streams = [
      open("/dev/null", O_RDWR | O_CLOEXEC), open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600),
    ]
    defer { for stream in streams { close(stream) } }
    child = try ChildProcess(
      ["timeout", "300", program, mode] + options,
      environment: Environment(["FABRIK_SECRET": secret, "PATH": "/usr/bin:/bin"]), directory: sandbox.path,
      streams: .descriptors([streams[0], streams[1], streams[1]]))
  }

  deinit {
    guard !isWaitedFor else { return }
    // `timeout` passes it on.
    child.send(signal: SIGTERM)
    child.wait()
  }

  /// What it has printed so far.
  var lines: [String] {
    get throws {
      let text = try String(contentsOfFile: output, encoding: .utf8)
      return text.split(separator: "\n").map(String.init)
    }
  }

  /// Waits for a line that begins so, and returns its rest.
  @discardableResult
  func wait(for beginning: String) throws -> String {
    var found: String?
    try eventually("hostile-peer prints '\(beginning)'") {
      found = try lines.first { $0.hasPrefix(beginning) }
      return found != nil
    }
    return String(found?.dropFirst(beginning.count) ?? "").trimmingCharacters(in: .whitespaces)
  }

  /// Waits for its end, and returns what it has printed: what was tried, and what came of it.
  func results() throws -> [String: String] {
    isWaitedFor = true
    #expect(child.wait(within: .seconds(320)) == .exited(0))
    var results: [String: String] = [:]
    for line in try lines {
      guard let separator = line.range(of: ": ", options: .backwards) else { continue }
      results[String(line[..<separator.lowerBound])] = String(line[separator.upperBound...])
    }
    return results
  }
}

/// Runs attacks on a server.
struct HostileClient {
  let secret: String
  let port: UInt16
  let sandbox: Sandbox

  /// - Parameter key: the number of the object that is asked for.
  func run(_ attack: String, _ options: [String] = [], key: Int = 1) throws -> [String: String] {
    let all = ["--to", "127.0.0.1:\(port)", "--key", PeerMachine.key(key)] + options
    return try HostilePeer(attack, all, secret: secret, in: sandbox).results()
  }
}
