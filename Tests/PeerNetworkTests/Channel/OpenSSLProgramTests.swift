import NIOCore
import NIOPosix
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

/// The channel is plain TLS 1.3, so that anybody can look at it with the usual tool.
@Suite("The program openssl", .timeLimit(.minutes(2)), .enabled(if: FileSystem.exists("/usr/bin/openssl")))
struct OpenSSLProgramTests {
  private static let key = [UInt8](1...32)
  private static let wrongKey = [UInt8](2...33)
  private static let modern = ["-tls1_3", "-psk_identity", ChannelSecurity.pskIdentity]

  /// Runs a shell command; its output, both kinds, when it has ended.
  private func run(_ command: String, in directory: FilePath) throws -> String {
    let output = directory.appending("output")
    let process = try ChildProcess(
      program: "/bin/sh", arguments: ["-c", "exec 2>&1; \(command)"], outputFile: output)
    _ = process.wait()
    return String(decoding: try Files.read(output), as: UTF8.self)
  }

  @Test("talks to our server with the key, and in no other way")
  func client() async throws {
    try await withTemporaryDirectory { directory in
      let server = try await SecureServer(key: Self.key)
      func talk(_ arguments: [String]) throws -> String {
        let arguments = (["-quiet", "-ign_eof", "-connect", "127.0.0.1:\(server.port)"] + arguments).joined(
          separator: " ")
        return try run("echo hello | timeout 60 openssl s_client \(arguments)", in: directory)
      }
      let (psk, wrong) = (["-psk", Hex.encode(Self.key)], ["-psk", Hex.encode(Self.wrongKey)])
      #expect(try talk(Self.modern + psk).hasSuffix("HELLO\n"))
      #expect(try talk(Self.modern + wrong).contains("alert"), "another key")
      #expect(try talk(["-tls1_3", "-psk_identity", "fabrik-v2"] + psk).contains("alert"), "another identity")
      #expect(try talk(["-tls1_3"]).contains("alert"), "no key")
      #expect(try talk(["-tls1_2", "-psk_identity", "fabrik-v1"] + psk).contains("alert"), "an old version")
      #expect(try talk(Self.modern + psk + ["-ciphersuites", "TLS_AES_256_GCM_SHA384"]).contains("alert"))
      #expect(try talk(Self.modern + psk).hasSuffix("HELLO\n"), "the server is still there")
      #expect(server.receivedCount == 2)
      await server.stop()
    }
  }

  @Test("answers our client with the key, and in no other way")
  func server() async throws {
    try await withTemporaryDirectory { directory in
      let made = try run(
        """
        cd \(directory) && openssl req -x509 -newkey ed25519 -nodes -keyout key -out certificate -days 2 -subj /CN=x
        """, in: directory)
      #expect(FileSystem.exists(directory.appending("certificate")), "\(made)")
      let (psk, wrong) = (["-psk", Hex.encode(Self.key)], ["-psk", Hex.encode(Self.wrongKey)])
      let certificate = ["-cert", "\(directory)/certificate", "-key", "\(directory)/key"]
      #expect(try await talk(directory, Self.modern + psk + ["-nocert"]) == "olleh\n")
      #expect(try await talk(directory, Self.modern + wrong + ["-nocert"]) == nil, "another key")
      #expect(try await talk(directory, ["-tls1_3", "-nocert", "-psk_identity", "fabrik-v2"] + psk) == nil)
      #expect(try await talk(directory, ["-tls1_2", "-nocert"] + psk) == nil, "an old version")
      #expect(try await talk(directory, ["-tls1_3"] + certificate) == nil, "a certificate in place of the key")
      #expect(try await talk(directory, Self.modern + wrong + certificate) == nil, "a certificate and another key")
    }
  }

  /// What a server that reverses lines answers to `hello`; nil when there was no channel.
  private func talk(_ directory: FilePath, _ arguments: [String]) async throws -> String? {
    let output = directory.appending("server.\(UInt64.random(in: 0...UInt64.max))")
    let command = ["exec 2>&1; exec openssl s_server -rev -accept 127.0.0.1:0"] + arguments
    let process = try ChildProcess(
      program: "/bin/sh", arguments: ["-c", command.joined(separator: " ")], outputFile: output)
    defer {
      process.send(signal: 9)
      _ = process.wait()
    }
    // What comes before differs.
    let line = try #require(
      (1...5).lazy.compactMap { process.waitForOutput(lines: $0).first { $0.hasPrefix("ACCEPT") } }.first)
    let port = try #require(line.split(separator: ":").last.flatMap { Int($0) })
    return try await SecureClient.ask("hello\n", port: port, key: Self.key)
  }
}
