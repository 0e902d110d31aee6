package import CacheStore

/// What `fabrik cacheprog` and the server say to each other on `go.sock`.
///
/// Each message is a frame: the length of what follows (2 bytes), its kind (1 byte), and its fields; integers are little
/// endian. Any number of requests are under way, and are answered in any order. Bodies do not travel: the helper writes
/// one into a file in the server's directory for temporary files and names it, and the server gives out paths of files.
///
///     1 hello   version (1), lease: the rest                 -> 1 ready   version (1), directory for bodies: the rest
///     2 get     id (8), action (32)                          -> 2 hit     id, output (32), size (8), created (8), path
///                                                            or 3 miss    id
///     3 put     id, action, output (32), size (8), name      -> 4 stored  id, path
///                                                            or 5 refused id
///     4 ping                                                 -> 6 pong
package enum GoCacheLink {
  /// Of this protocol. Both ends are of one installation; an older server is not spoken to.
  package static let version: UInt8 = 1

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

/// A message of ``GoCacheLink``.
package protocol GoCacheMessage: Equatable, Sendable {
  /// The whole frame.
  var encoded: [UInt8] { get }

  /// nil when there is no such message.
  init?(frame: inout GoCacheFrame)
}

/// The kind and the fields of a message that has arrived.
package struct GoCacheFrame {
  let kind: UInt8
  fileprivate var fields: ArraySlice<UInt8>

  fileprivate init?(_ bytes: UnsafeRawBufferPointer) {
    guard let kind = bytes.first else { return nil }
    self.kind = kind
    fields = Array(bytes)[1...]
  }

  fileprivate mutating func bytes(_ count: Int) -> [UInt8]? {
    guard fields.count >= count else { return nil }
    defer { fields = fields.dropFirst(count) }
    return Array(fields.prefix(count))
  }

  fileprivate mutating func rest() -> [UInt8] {
    defer { fields = [] }
    return Array(fields)
  }

  fileprivate mutating func number() -> UInt64? {
    bytes(8)?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  fileprivate mutating func id() -> Int64? { number().map { Int64(bitPattern: $0) } }

  fileprivate mutating func identifier() -> [UInt8]? { bytes(GoCacheRequestParser.identifierLength) }

  fileprivate mutating func isVersion() -> Bool { bytes(1) == [GoCacheLink.version] }

  /// - Precondition: the fields are shorter than 64 KiB; paths and names are.
  fileprivate static func encode(_ kind: UInt8, _ fields: [UInt8]...) -> [UInt8] {
    let length = fields.reduce(1) { $0 + $1.count }
    var frame: [UInt8] = []
    frame.reserveCapacity(2 + length)
    frame += number(UInt16(length)) + [kind]
    for field in fields { frame += field }
    return frame
  }

  fileprivate static func number(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}

extension GoCacheLink.Request: GoCacheMessage {
  package var encoded: [UInt8] {
    switch self {
    case .hello(let lease): GoCacheFrame.encode(1, [GoCacheLink.version], Array(lease.utf8))
    case .get(let id, let action): GoCacheFrame.encode(2, GoCacheFrame.number(id), action)
    case .put(let id, let action, let output, let size, let file):
      GoCacheFrame.encode(3, GoCacheFrame.number(id), action, output, GoCacheFrame.number(size), Array(file.utf8))
    case .ping: GoCacheFrame.encode(4)
    }
  }

  package init?(frame: inout GoCacheFrame) {
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

extension GoCacheLink.Reply: GoCacheMessage {
  package var encoded: [UInt8] {
    switch self {
    case .ready(let directory): GoCacheFrame.encode(1, [GoCacheLink.version], directory)
    case .hit(let id, let output, let size, let created, let path):
      GoCacheFrame.encode(
        2, GoCacheFrame.number(id), output, GoCacheFrame.number(size), GoCacheFrame.number(created), path)
    case .miss(let id): GoCacheFrame.encode(3, GoCacheFrame.number(id))
    case .stored(let id, let path): GoCacheFrame.encode(4, GoCacheFrame.number(id), path)
    case .refused(let id): GoCacheFrame.encode(5, GoCacheFrame.number(id))
    case .pong: GoCacheFrame.encode(6)
    }
  }

  package init?(frame: inout GoCacheFrame) {
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

/// Takes messages of ``GoCacheLink`` out of a stream of bytes.
package struct GoCacheMessageParser<Message: GoCacheMessage>: Sendable {
  package enum Event: Equatable, Sendable {
    case message(Message)
    /// The connection cannot be understood any further.
    case malformed
  }

  private var isOver = false

  package init() {}

  /// Looks at the bytes that have not been consumed yet. Returns how many to consume, and what they mean; nil when more
  /// bytes are needed first. To be called until it returns nil.
  package mutating func next(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, event: Event)? {
    guard !isOver, bytes.count >= 2 else { return nil }
    let end = 2 + Int(bytes[0]) + Int(bytes[1]) << 8
    guard bytes.count >= end else { return nil }
    guard var frame = GoCacheFrame(UnsafeRawBufferPointer(rebasing: bytes[2..<end])),
      let message = Message(frame: &frame), frame.fields.isEmpty
    else {
      isOver = true
      return (bytes.count, .malformed)
    }
    return (end, .message(message))
  }
}
