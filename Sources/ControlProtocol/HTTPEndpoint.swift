import SystemSupport

/// The HTTP front end's address on the loopback interface, and what a client must show.
package struct HTTPEndpoint: Sendable, Equatable {
  package let port: UInt16
  /// 32 hexadecimal digits, random.
  package let token: String

  package init(port: UInt16, token: String) {
    self.port = port
    self.token = token
  }

  /// Reads `PORT TOKEN`.
  package init?(text: String) {
    let parts = text.split { $0 == " " || $0 == "\n" }
    guard parts.count == 2, let port = UInt16(parts[0]), port > 0, parts[1].utf8.count == 32 else { return nil }
    self.init(port: port, token: String(parts[1]))
  }

  package var text: String { "\(port) \(token)\n" }

  /// The bearer token of one lease: the server checks the first part and counts for the second.
  package func bearer(lease: String) -> String { "\(token).\(lease)" }

  package static func newToken() -> String {
    var generator = SystemRandomNumberGenerator()
    return Hex.encode((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
  }
}
