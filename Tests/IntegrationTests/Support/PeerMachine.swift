import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// A machine of a team, as far as one real machine can have several: a user's directories, and a server that stays for
/// the length of a test. Teams of other tests have other secrets; machines of one team on one real machine find each
/// other without being told.
final class PeerMachine {
  let sandbox: Sandbox
  let server: RunningServer

  /// A secret of a test's own.
  static func makeSecret() -> String { UUID().uuidString + UUID().uuidString }

  /// - Parameters:
  ///   - peers: ports of peers to connect to.
  ///   - consent: whom it serves without asking.
  init(
    secret: String, peers: [UInt16] = [], consent: String = "always-allow", name: String = "machine",
    sandbox given: Sandbox? = nil
  ) throws {
    let sandbox = try given ?? Sandbox()
    self.sandbox = sandbox
    let addresses = peers.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
    try sandbox.write(
      """
      [p2p]
      enabled = true
      secret = "\(secret)"
      consent = "\(consent)"
      name = "\(name)"
      interfaces = ["lo"]
      peers = [\(addresses)]

      """, to: ".fabrik.toml")
    // Also after a build.
    sandbox.environment["FABRIK_LINGER"] = "300s"
    server = try RunningServer(sandbox)
    _ = try port
  }

  /// Where its server listens for peers.
  var port: UInt16 {
    get throws {
      var port: UInt16 = 0
      try eventually("the server listens") {
        port = try json("p2p status")["port"] as? UInt16 ?? 0
        return port > 0
      }
      return port
    }
  }

  /// What a command prints with `--json`.
  func json(_ command: String) throws -> [String: Any] {
    let outcome = try sandbox.run("fabrik \(command) --json")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(object as? [String: Any], "\(outcome)")
  }

  /// Its server's largest resident size so far, in MiB.
  var memory: Int {
    get throws {
      let process = try #require(sandbox.servers().first, "the server has died")
      let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
      return (Int(line.filter(\.isNumber)) ?? .max) / 1024
    }
  }

  deinit {
    // In good order: a server that is killed leaves its socket in the directory that all users share.
    try? end()
  }

  /// Ends its server; the store stays.
  func end() throws {
    try sandbox.endServers()
  }

  // MARK: - Consent

  /// Waits until a machine asks to be let in.
  func awaitRequest(of name: String) throws {
    try eventually("\(name) waits for consent") { try sandbox.run("fabrik p2p pending").output.contains(name) }
  }

  func approve(_ name: String) throws { #expect(try sandbox.run("fabrik p2p approve \(name)").exitStatus == 0) }

  // MARK: - Objects

  /// The key of an object, as peers write it.
  static func key(_ number: Int) -> String { "ccache/\(RunningServer.path(number).dropFirst(11).prefix(40))" }

  func put(_ number: Int, _ body: [UInt8]) throws {
    let connection = try Connection(port: server.port)
    let head = server.head("PUT", RunningServer.path(number), ["Content-Length": "\(body.count)"])
    try connection.send(Array(head.utf8) + body)
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
  }

  /// nil: a miss.
  func get(_ number: Int) throws -> [UInt8]? {
    let connection = try Connection(port: server.port)
    try connection.send(server.head("GET", RunningServer.path(number), ["Connection": "close"]))
    let head = try connection.receiveHead()
    let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
    return head.hasPrefix("HTTP/1.1 200 ")
      ? try connection.receive(Int(length?.drop { !$0.isNumber } ?? "") ?? 0) : nil
  }

  // MARK: - Builds

  /// Builds a project that is written anew into a directory; returns the report.
  func build(_ project: CProject, in directory: String, _ flags: String = "") throws -> [String: Double] {
    try project.write(to: sandbox, directory: directory)
    let outcome = try sandbox.run("cd \(directory) && timeout 120 fabrik exec --stats json \(flags) -- make -s -j2")
    #expect(outcome.exitStatus == 0, "\(outcome)")
    return try report(outcome)
  }

  /// The objects that a build has made, by name.
  func objects(_ directory: String) throws -> [String: Data] {
    let path = "\(sandbox.path)/work/\(directory)"
    let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".o") }
    return try Dictionary(
      uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: URL(fileURLWithPath: "\(path)/\($0)"))) })
  }

  /// Expects nothing wrong in its store, and a server that is alive and no larger than it may be.
  ///
  /// An idle server takes 20 MiB. What peers hold may take 64 more, and what a peer is told or tells 32.
  func expectSound(below limit: Int = 128) throws {
    #expect(try json("cache verify")["damaged"] as? Int == 0)
    #expect(try memory < limit)
  }
}
