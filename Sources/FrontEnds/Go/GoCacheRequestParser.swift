/// The helper's side of Go's cache protocol (GOCACHEPROG): bytes of standard input in, requests out.
///
/// Source: `cmd/go/internal/cacheprog` and `cmd/go/internal/cache/prog.go` of Go 1.27. A request is a JSON object on a
/// line of its own; a `put` with a body is followed by a line with the body as a string of base64. There are any number
/// of requests under way.
package struct GoCacheRequestParser: Sendable {
  package enum Event: Equatable, Sendable {
    case get(id: Int64, action: [UInt8])
    /// A body of `size` bytes follows, as ``body(_:)`` events, then ``putEnd(isWhole:)``.
    case putStart(id: Int64, action: [UInt8], output: [UInt8], size: UInt64)
    /// The next bytes of the body.
    case body([UInt8])
    /// Whether the body was what was announced.
    case putEnd(isWhole: Bool)
    case close(id: Int64)
    /// A request that is not understood, and has to be answered all the same.
    case unknown(id: Int64)
    /// Something that is no request; what follows on the next line may be one.
    case malformed
  }

  /// Bytes of an action's or an output's identifier.
  package static let identifierLength = 32

  /// A request takes some 200 bytes; what is longer than this is none.
  private static let longestLine = 1 << 16

  private enum State {
    case request
    /// Within a line that is too long.
    case skipping
    /// Before the quotation mark that begins a body.
    case bodyStart(Body)
    case body(Body)
    /// After it, or after a put that has none.
    case putEnd(Body)
  }

  private struct Body {
    let size: UInt64
    var received: UInt64 = 0
    var isSound = true
    var isWhole: Bool { isSound && received == size }
  }

  private var state = State.request

  package init() {}

  /// Looks at the bytes that have not been consumed yet. Returns how many to consume, and what they mean; nil when more
  /// bytes are needed first. To be called until it returns nil.
  package mutating func next(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, event: Event)? {
    switch state {
    case .request: return request(bytes)
    case .skipping:
      guard let end = bytes.firstIndex(of: Self.newline) else {
        return bytes.isEmpty ? nil : (bytes.count, .malformed)
      }
      state = .request
      return (end + 1, .malformed)
    case .bodyStart(let body): return bodyStart(bytes, body)
    case .body(let body): return self.body(bytes, body)
    case .putEnd(let body):
      state = .request
      return (0, .putEnd(isWhole: body.isWhole))
    }
  }

  private static let newline = UInt8(ascii: "\n")
  private static let quote = UInt8(ascii: "\"")

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == newline || byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\t")
  }

  private mutating func request(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, event: Event)? {
    guard let start = bytes.firstIndex(where: { !Self.isSpace($0) }) else { return nil }
    guard let end = bytes[start...].firstIndex(of: Self.newline) else {
      guard bytes.count > Self.longestLine else { return nil }
      state = .skipping
      return (bytes.count, .malformed)
    }
    let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    guard let request = GoCacheRequestLine(line) else { return (end + 1, .malformed) }
    return (end + 1, event(of: request))
  }

  private mutating func event(of line: GoCacheRequestLine) -> Event {
    guard let id = line.id else { return .malformed }
    switch (line.command, line.action, line.output) {
    case ("get", let action?, _): return .get(id: id, action: action)
    case ("put", let action?, let output?):
      let body = Body(size: line.bodySize)
      state = body.size == 0 ? .putEnd(body) : .bodyStart(body)
      return .putStart(id: id, action: action, output: output, size: body.size)
    case ("close", _, _): return .close(id: id)
    default: return .unknown(id: id)
    }
  }

  private mutating func bodyStart(_ bytes: UnsafeRawBufferPointer, _ body: Body) -> (consumed: Int, event: Event)? {
    guard let start = bytes.firstIndex(where: { !Self.isSpace($0) }) else { return nil }
    var body = body
    guard bytes[start] == Self.quote else {
      // There is no body: this is the next request.
      body.isSound = false
      state = .putEnd(body)
      return (start, .body([]))
    }
    state = .body(body)
    return (start + 1, .body([]))
  }

  private mutating func body(_ bytes: UnsafeRawBufferPointer, _ body: Body) -> (consumed: Int, event: Event)? {
    let end = bytes.firstIndex(of: Self.quote)
    // Groups of four characters; the rest of one comes with what follows.
    let count = end ?? bytes.count / 4 * 4
    guard end != nil || count > 0 else { return nil }
    var body = body
    var decoded: [UInt8] = []
    if body.isSound, let piece = Base64.decode(UnsafeRawBufferPointer(rebasing: bytes[..<count])) {
      decoded = piece
      body.received += UInt64(piece.count)
    } else {
      body.isSound = false
    }
    state = end == nil ? .body(body) : .putEnd(body)
    return (end.map { $0 + 1 } ?? count, .body(decoded))
  }
}

/// The fields of a request's line that matter.
private struct GoCacheRequestLine {
  var id: Int64?
  var command = ""
  var action: [UInt8]?
  var output: [UInt8]?
  var bodySize: UInt64 = 0

  private let bytes: UnsafeRawBufferPointer
  private var index = 0

  /// nil when the line is not a JSON object.
  init?(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    guard take(UInt8(ascii: "{")) else { return nil }
    if take(UInt8(ascii: "}")) { return }
    repeat {
      guard let name = string(), take(UInt8(ascii: ":")), field(String(decoding: name, as: UTF8.self)) else {
        return nil
      }
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { return nil }
  }

  private mutating func field(_ name: String) -> Bool {
    switch name {
    case "ID":
      id = integer()
      return id != nil
    case "BodySize":
      guard let size = integer(), size >= 0 else { return false }
      bodySize = UInt64(size)
      return true
    case "Command":
      guard let text = string() else { return false }
      command = String(decoding: text, as: UTF8.self)
      return true
    case "ActionID": return identifier(into: \.action)
    case "OutputID": return identifier(into: \.output)
    default: return skipValue()
    }
  }

  private mutating func identifier(into field: WritableKeyPath<Self, [UInt8]?>) -> Bool {
    guard let text = string() else { return false }
    let bytes = Base64.decode(text)
    self[keyPath: field] = bytes?.count == GoCacheRequestParser.identifierLength ? bytes : nil
    return true
  }

  private mutating func skipSpace() {
    while index < bytes.count, bytes[index] <= UInt8(ascii: " ") { index += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard index < bytes.count, bytes[index] == byte else { return false }
    index += 1
    return true
  }

  /// What stands between quotation marks, with its escapes, which no field that matters has.
  private mutating func string() -> UnsafeRawBufferPointer? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    let start = index
    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
      index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard index < bytes.count else { return nil }
    defer { index += 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[start..<index])
  }

  private mutating func integer() -> Int64? {
    skipSpace()
    let start = index
    while index < bytes.count, bytes[index] == UInt8(ascii: "-") || Self.digits.contains(bytes[index]) { index += 1 }
    return Int64(String(decoding: bytes[start..<index], as: UTF8.self))
  }

  private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

  /// A value of a field that later versions may add: text, a number, a list or an object.
  private mutating func skipValue() -> Bool {
    var depth = 0
    while true {
      skipSpace()
      guard index < bytes.count else { return false }
      switch bytes[index] {
      case UInt8(ascii: "\""):
        guard string() != nil else { return false }
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return true }
        if bytes[index] != UInt8(ascii: ",") { depth -= 1 }
      default: break
      }
      index += 1
    }
  }
}
