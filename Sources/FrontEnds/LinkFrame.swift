import SystemSupport

/// A message between the server and a program of the same installation, over a Unix socket.
///
/// It is a frame: the length of what follows (4 bytes), its kind (1 byte), and its fields; integers are little endian.
package protocol LinkMessage: Equatable, Sendable {
  /// Bytes that may follow a frame's length.
  static var longestFrame: Int { get }

  /// The whole frame.
  var encoded: [UInt8] { get }

  /// nil when there is no such message.
  init?(frame: inout LinkFrame)
}

extension LinkMessage {
  /// - Precondition: the fields are not longer than a frame may be.
  static func encode(_ kind: UInt8, _ fields: [UInt8]...) -> [UInt8] {
    let length = fields.reduce(1) { $0 + $1.count }
    var frame: [UInt8] = []
    frame.reserveCapacity(LinkFrame.headLength + length)
    frame += LinkFrame.number(UInt32(length))
    frame.append(kind)
    for field in fields { frame += field }
    return frame
  }
}

/// The kind and the fields of a message that has arrived.
package struct LinkFrame {
  /// Bytes of the length before it.
  fileprivate static let headLength = 4

  let kind: UInt8
  fileprivate var fields: ArraySlice<UInt8>

  fileprivate init?(_ bytes: UnsafeRawBufferPointer) {
    guard let kind = bytes.first else { return nil }
    self.kind = kind
    fields = Array(bytes.dropFirst())[...]
  }

  mutating func bytes(_ count: Int) -> [UInt8]? {
    guard fields.count >= count else { return nil }
    defer { fields = fields.dropFirst(count) }
    return Array(fields.prefix(count))
  }

  mutating func rest() -> [UInt8] {
    defer { fields = [] }
    return Array(fields)
  }

  mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_ type: Number.Type) -> Number? {
    bytes(Number.bitWidth / 8)?.reversed().reduce(0) { $0 << 8 | Number($1) }
  }

  static func number(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}

/// Takes messages out of a stream of bytes.
package struct LinkMessageParser<Message: LinkMessage>: Sendable {
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
    let head = LinkFrame.headLength
    guard !isOver, bytes.count >= head else { return nil }
    let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
    guard length <= Message.longestFrame else { return end(bytes) }
    guard bytes.count >= head + length else { return nil }
    guard var frame = LinkFrame(UnsafeRawBufferPointer(rebasing: bytes[head..<head + length])),
      let message = Message(frame: &frame), frame.fields.isEmpty
    else { return end(bytes) }
    return (head + length, .message(message))
  }

  private mutating func end(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, event: Event) {
    isOver = true
    return (bytes.count, .malformed)
  }
}
