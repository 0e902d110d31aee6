import CacheStore
import NIOCore
import PeerNetwork

/// The team's channel over a connection, for a program that reads and writes one thing after another.
final class TeamChannel {
  let wire: Wire
  let exporter: [UInt8]
  private let connection: SecureConnection
  private var parser = MessageParser(largestBody: 1 << 40)

  /// What an attempt came to.
  enum Outcome: CustomStringConvertible {
    case answer(MessageHead, body: [UInt8])
    case closed
    case silence

    var description: String {
      switch self {
      case .answer(let head, let body):
        [
          head.status.map(String.init) ?? "no status", head["fabrik-consent"],
          body.isEmpty ? nil : "\(body.count) bytes",
        ].compactMap { $0 }.joined(separator: " ")
      case .closed: "closed"
      case .silence: "silence"
      }
    }
  }

  /// Does the handshake; nil when it fails.
  init?(_ wire: Wire, _ security: ChannelSecurity, _ role: ChannelSecurity.Role) {
    guard let connection = try? security.makeConnection(role) else { return nil }
    self.wire = wire
    self.connection = connection
    while true {
      let progress = connection.handshake()
      Self.flush(connection, wire)
      if progress == .done { break }
      guard progress == .waiting, case .bytes(let bytes) = wire.receive(),
        bytes.withUnsafeBytes({ connection.receive($0) })
      else { return nil }
    }
    guard let exporter = connection.exporter() else { return nil }
    self.exporter = exporter
  }

  @discardableResult
  private static func flush(_ connection: SecureConnection, _ wire: Wire) -> Bool {
    var isSent = true
    connection.takePending { isSent = wire.send($0) }
    return isSent
  }

  // MARK: - Writing

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { connection.write($0) } && Self.flush(connection, wire)
  }

  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  @discardableResult
  func send(_ head: MessageHead) -> Bool { send(head.bytes) }

  // MARK: - Reading

  /// The next bytes, decrypted.
  func receive() -> Wire.Received {
    while true {
      var buffer = [UInt8](repeating: 0, count: 1 << 14)
      let (progress, count) = buffer.withUnsafeMutableBytes { connection.read(into: $0) }
      switch progress {
      case .done: return .bytes(Array(buffer[..<count]))
      case .failed: return .closed
      case .waiting: break
      }
      switch wire.receive() {
      case .bytes(let bytes): _ = bytes.withUnsafeBytes { connection.receive($0) }
      case let other: return other
      }
    }
  }

  /// The next message with its body.
  func receiveMessage() -> Outcome {
    var head: MessageHead?
    var body: [UInt8] = []
    while true {
      switch parser.next() {
      case .head(let next): head = next
      case .body(let piece): body += piece.readableBytesView
      case .end: if let head { return .answer(head, body: body) }
      case .malformed: return .closed
      case nil:
        switch receive() {
        case .bytes(let bytes):
          var buffer = ByteBuffer(bytes: bytes)
          parser.feed(&buffer)
        case .closed: return .closed
        case .silence: return .silence
        }
      }
    }
  }

  /// The next request's head; nil when the other side has gone.
  func receiveRequest() -> MessageHead? {
    if case .answer(let head, _) = receiveMessage() { head } else { nil }
  }
}

extension MessageHead {
  var bytes: [UInt8] {
    var buffer = ByteBuffer()
    write(into: &buffer)
    return Array(buffer.readableBytesView)
  }
}
