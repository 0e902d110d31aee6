import CacheStore
import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// A compiler with the plugin in it, as the server meets it.
final class CompilerClient {
  enum Answer: Equatable {
    case hit(action: [UInt8], paths: [String])
    case miss
    case object(path: String)
  }

  private let connection: Connection
  private let sandbox: Sandbox
  let directory: CompilerDirectory
  /// Signs of life that came before the last answer.
  private(set) var signs = 0

  init(_ server: RunningServer, in directory: CompilerDirectory, lease: String = "") throws {
    self.directory = directory
    sandbox = server.sandbox
    connection = try Connection(path: server.compilerSocket)
    try send(1, [2, UInt8(lease.utf8.count)] + Array(lease.utf8) + Array(directory.path.utf8))
    #expect(try receive() == [1, 2])
  }

  func send(_ kind: UInt8, _ fields: [UInt8]) throws {
    var frame: [UInt8] = []
    frame.append(littleEndian: UInt32(fields.count + 1))
    try connection.send(frame + [kind] + fields)
  }

  private func receive() throws -> [UInt8] {
    let length = try connection.receive(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    return try connection.receive(length)
  }

  /// What the server sends before it closes the connection.
  func receiveAll() throws -> [UInt8] { try connection.receiveAll() }

  private func answer() throws -> Answer {
    signs = 0
    while true {
      let frame = try receive()
      switch frame.first {
      case 2:
        let end = 5 + frame[1..<5].reversed().reduce(0) { $0 << 8 | Int($1) }
        var paths: [String] = []
        var rest = frame[end...]
        while !rest.isEmpty {
          let length = Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8
          paths.append(String(decoding: rest.dropFirst(2).prefix(length), as: UTF8.self))
          rest = rest.dropFirst(2 + length)
        }
        return .hit(action: Array(frame[5..<end]), paths: paths)
      case 3 where frame.count == 1: return .miss
      case 4: return .object(path: String(decoding: frame.dropFirst(), as: UTF8.self))
      case 5 where frame.count == 1: signs += 1
      default: throw Unexpected("an answer that begins with \(frame.prefix(16))")
      }
    }
  }

  // MARK: - Requests

  static func key(_ number: Int) -> [UInt8] { [UInt8](repeating: 0, count: 31) + [UInt8(number)] }

  func get(_ number: Int) throws -> Answer {
    try send(2, Self.key(number))
    return try answer()
  }

  func object(_ digest: Digest) throws -> Answer {
    try send(4, digest.bytes)
    return try answer()
  }

  func put(_ number: Int, _ action: [UInt8]) throws { try send(3, Self.key(number) + action) }

  func used(_ number: Int, bytes: UInt64) throws {
    var fields = Self.key(number)
    fields.append(littleEndian: bytes)
    try send(5, fields)
  }

  /// Puts an action with its objects, and waits until it is stored.
  func store(_ number: Int, _ objects: [[UInt8]]) throws {
    for object in objects { try directory.write(object) }
    try put(number, CompilerSamples.action(objects))
    try eventually("the result is stored") { try get(number) != .miss }
  }

  /// Expects that nothing is stored, once the server has had the time to.
  func expectNotStored(_ number: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
    // What is put afterwards on the same connection is stored afterwards.
    try store(255, [CompilerSamples.object([UInt8(number)])])
    let text = try sandbox.run("fabrik why swift-ac/\(Hex.encode(Self.key(number)))").output
    #expect(text.contains("the local store does not have it"), "\(text)", sourceLocation: sourceLocation)
    #expect(try get(number) == .miss, sourceLocation: sourceLocation)
  }
}

/// The working directory of a plugin.
struct CompilerDirectory {
  let path: String

  /// A new one, or that of a name, below the work directory of a sandbox.
  init(_ sandbox: Sandbox, _ name: String = UUID().uuidString) throws {
    try self.init(at: "\(sandbox.path)/work/\(name)")
  }

  init(at path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: "\(path)/objects", withIntermediateDirectories: true)
  }

  func file(of object: [UInt8]) -> String {
    let name = SHA256Digest.digest(of: object).description
    return "\(path)/objects/\(name.prefix(2))/\(name.dropFirst(2))"
  }

  /// Writes an object.
  ///
  /// - Parameter content: what its file holds; nil: itself.
  func write(_ object: [UInt8], content: [UInt8]? = nil) throws {
    let file = URL(fileURLWithPath: file(of: object))
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try? FileManager.default.removeItem(at: file)
    try Data(content ?? object).write(to: file)
    chmod(file.path, 0o444)
  }
}
