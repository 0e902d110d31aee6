package import NIOCore

/// Takes a stream of bytes apart into messages. Pure; it keeps no more than a head once all events have been taken.
package struct MessageParser {
  package enum Event: Equatable {
    case head(MessageHead)
    /// A piece of the body.
    case body(ByteBuffer)
    case end
    /// The stream cannot be understood from here on.
    case malformed
  }

  /// Bytes of a head; ours take a few hundred.
  static let largestHead = 4096
  static let mostFields = 32

  private enum State {
    case head
    case body(left: UInt64)
    case broken
  }

  private var input = ByteBuffer()
  private var state = State.head
  /// How far `input` has been searched for the end of a head.
  private var searched = 0
  private let largestBody: UInt64

  /// - Parameter largestBody: bytes; a message that announces more is malformed.
  package init(largestBody: UInt64) {
    self.largestBody = largestBody
  }

  /// Bytes that have been fed and are in no event yet.
  var waiting: Int { input.readableBytes }

  package mutating func feed(_ bytes: inout ByteBuffer) {
    if case .broken = state { return }
    if input.readableBytes == 0 {
      input = bytes
      searched = 0
    } else {
      input.discardReadBytes()
      input.writeBuffer(&bytes)
    }
  }

  /// The next event; nil when more bytes are needed.
  package mutating func next() -> Event? {
    switch state {
    case .broken: return nil
    case .body(0):
      state = .head
      return .end
    case .body(let left):
      guard input.readableBytes > 0 else { return nil }
      let count = Int(min(left, UInt64(input.readableBytes)))
      state = .body(left: left - UInt64(count))
      return input.readSlice(length: count).map { .body($0) }
    case .head: return nextHead()
    }
  }

  private mutating func nextHead() -> Event? {
    guard let end = findEnd() else {
      guard input.readableBytes <= Self.largestHead else { return fail() }
      return nil
    }
    guard end <= Self.largestHead, let text = input.readBytes(length: end), let head = Self.parse(text) else {
      return fail()
    }
    searched = 0
    if let length = head.fields["content-length"] {
      guard length.utf8.allSatisfy({ (48...57).contains($0) }), let size = UInt64(length), size <= largestBody else {
        return fail()
      }
    }
    guard head["transfer-encoding"] == nil else { return fail() }
    state = .body(left: head.contentLength)
    return .head(head)
  }

  private mutating func fail() -> Event {
    state = .broken
    input.clear()
    return .malformed
  }

  /// How many bytes the head at the front has, with its empty line.
  private mutating func findEnd() -> Int? {
    input.withUnsafeReadableBytes { bytes in
      var index = max(3, searched)
      while index < bytes.count {
        // Byte by byte, but each byte only once.
        if bytes[index] == 10, bytes[index - 1] == 13, bytes[index - 2] == 10, bytes[index - 3] == 13 {
          return index + 1
        }
        index += 1
        if index > Self.largestHead { break }
      }
      searched = index
      return nil
    }
  }

  private static func parse(_ bytes: [UInt8]) -> MessageHead? {
    // Printable ASCII and line ends only, so that what is compared and logged later is what it looks like.
    guard bytes.allSatisfy({ (32...126).contains($0) || $0 == 13 || $0 == 10 }) else { return nil }
    var lines = bytes.dropLast(4).split(separator: 13, omittingEmptySubsequences: false).makeIterator()
    guard let first = lines.next(), !first.contains(10) else { return nil }
    var head = MessageHead(startLine: String(decoding: first, as: UTF8.self))
    while let line = lines.next() {
      guard line.first == 10, !line.dropFirst().contains(10), let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
        return nil
      }
      let name = line[(line.startIndex + 1)..<colon]
      guard !name.isEmpty, name.allSatisfy({ $0 > 32 }) else { return nil }
      let value = line[(colon + 1)...].drop { $0 == 32 }
      let key = String(decoding: name, as: UTF8.self).lowercased()
      // Twice the same field: the two ends could take different ones.
      guard head.fields.updateValue(String(decoding: value, as: UTF8.self), forKey: key) == nil,
        head.fields.count <= mostFields
      else { return nil }
    }
    return head
  }
}
