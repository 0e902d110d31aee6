package import CacheStore

/// What `fabrik cacheprog` and the server say to each other on `go.sock`.
///
/// Each message is a frame: the length of what follows (4 bytes), its kind (1 byte), and its fields; integers are
/// little endian. Any number of requests are under way, and are answered in any order. Bodies do not travel: the helper
/// writes one into a file in the server's directory for temporary files and names it, and the server gives out paths of
/// files.
///
///     1 hello   version (1), lease: the rest                 -> 1 ready   version (1), directory for bodies: the rest
///     2 get     id (8), action (32)                          -> 2 hit     id, output (32), size (8), created (8), path
///                                                            or 3 miss    id
///     3 put     id, action, output (32), size (8), name      -> 4 stored  id, path
///                                                            or 5 refused id
///     4 ping                                                 -> 6 pong
package enum GoCacheLink {
  /// Of this protocol. Both ends are of one installation; an older server is not spoken to.
  package static let version: UInt8 = 2

  /// Bytes that may follow a frame's length: a path, and then some.
  package static let longestFrame = 1 << 16

  package enum Request: Equatable, Sendable {
    /// The first message. `lease`: of the build, empty when it is not known.
    case hello(lease: String)
    case get(id: Int64, action: [UInt8])
    /// `file`: the name of a file in the directory for bodies, whose content the server takes; empty when there is no
    /// body.
    case put(id: Int64, action: [UInt8], output: [UInt8], size: UInt64, file: String)
    case ping
  }

  package enum Reply: Equatable, Sendable {
    case ready(directory: [UInt8])
    /// `created`: milliseconds since 1970.
    case hit(id: Int64, output: [UInt8], size: UInt64, created: UInt64, path: [UInt8])
    case miss(id: Int64)
    case stored(id: Int64, path: [UInt8])
    case refused(id: Int64)
    case pong
  }

  /// The key of an action.
  package static func key(_ action: [UInt8]) -> CacheKey? { CacheKey(namespace: "go", bytes: action) }
}

extension LinkFrame {
  fileprivate mutating func number() -> UInt64? { number(UInt64.self) }

  fileprivate mutating func id() -> Int64? { number().map { Int64(bitPattern: $0) } }

  fileprivate mutating func identifier() -> [UInt8]? { bytes(GoCacheRequestParser.identifierLength) }

  fileprivate mutating func isVersion() -> Bool { bytes(1) == [GoCacheLink.version] }
}

extension GoCacheLink.Request: LinkMessage {
  package static var longestFrame: Int { GoCacheLink.longestFrame }

  package var encoded: [UInt8] {
    switch self {
    case .hello(let lease): Self.encode(1, [GoCacheLink.version], Array(lease.utf8))
    case .get(let id, let action): Self.encode(2, LinkFrame.number(id), action)
    case .put(let id, let action, let output, let size, let file):
      Self.encode(3, LinkFrame.number(id), action, output, LinkFrame.number(size), Array(file.utf8))
    case .ping: Self.encode(4)
    }
  }

  package init?(frame: inout LinkFrame) {
    switch frame.kind {
    case 1:
      guard frame.isVersion() else { return nil }
      self = .hello(lease: String(decoding: frame.rest(), as: UTF8.self))
    case 2:
      guard let id = frame.id(), let action = frame.identifier() else { return nil }
      self = .get(id: id, action: action)
    case 3:
      guard let id = frame.id(), let action = frame.identifier(), let output = frame.identifier(),
        let size = frame.number()
      else { return nil }
      self = .put(
        id: id, action: action, output: output, size: size, file: String(decoding: frame.rest(), as: UTF8.self))
    case 4: self = .ping
    default: return nil
    }
  }
}

extension GoCacheLink.Reply: LinkMessage {
  package static var longestFrame: Int { GoCacheLink.longestFrame }

  package var encoded: [UInt8] {
    switch self {
    case .ready(let directory): Self.encode(1, [GoCacheLink.version], directory)
    case .hit(let id, let output, let size, let created, let path):
      Self.encode(
        2, LinkFrame.number(id), output, LinkFrame.number(size), LinkFrame.number(created), path)
    case .miss(let id): Self.encode(3, LinkFrame.number(id))
    case .stored(let id, let path): Self.encode(4, LinkFrame.number(id), path)
    case .refused(let id): Self.encode(5, LinkFrame.number(id))
    case .pong: Self.encode(6)
    }
  }

  package init?(frame: inout LinkFrame) {
    switch frame.kind {
    case 1:
      guard frame.isVersion() else { return nil }
      self = .ready(directory: frame.rest())
    case 2:
      guard let id = frame.id(), let output = frame.identifier(), let size = frame.number(),
        let created = frame.number()
      else { return nil }
      self = .hit(id: id, output: output, size: size, created: created, path: frame.rest())
    case 3:
      guard let id = frame.id() else { return nil }
      self = .miss(id: id)
    case 4:
      guard let id = frame.id() else { return nil }
      self = .stored(id: id, path: frame.rest())
    case 5:
      guard let id = frame.id() else { return nil }
      self = .refused(id: id)
    case 6: self = .pong
    default: return nil
    }
  }
}
