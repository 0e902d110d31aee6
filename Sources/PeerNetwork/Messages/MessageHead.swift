package import NIOCore

/// The head of a request or an answer: the part of HTTP/1.1 (RFC 9112) that peers speak. Names of fields are in lower
/// case. Bodies have a `Content-Length` and are never chunked.
package struct MessageHead: Sendable, Equatable {
  package var startLine: String
  package var fields: [String: String]

  package init(startLine: String, fields: [String: String] = [:]) {
    self.startLine = startLine
    self.fields = fields
  }

  package subscript(name: String) -> String? { fields[name] }

  package var contentLength: UInt64 { fields["content-length"].flatMap { UInt64($0) } ?? 0 }

  /// The status of an answer; nil for anything else.
  package var status: Int? {
    let parts = startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2, parts[0] == "HTTP/1.1", parts[1].utf8.count == 3 else { return nil }
    return Int(parts[1])
  }

  /// The target of a request; nil for anything but a GET.
  package var target: String? {
    let parts = startLine.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "GET", parts[2] == "HTTP/1.1" else { return nil }
    return String(parts[1])
  }

  /// The bytes, with the empty line.
  package func write(into buffer: inout ByteBuffer) {
    buffer.writeString(startLine)
    buffer.writeStaticString("\r\n")
    for (name, value) in fields {
      buffer.writeString(name)
      buffer.writeStaticString(": ")
      buffer.writeString(value)
      buffer.writeStaticString("\r\n")
    }
    buffer.writeStaticString("\r\n")
  }

  package static func request(_ target: String, _ fields: [String: String] = [:]) -> MessageHead {
    MessageHead(startLine: "GET \(target) HTTP/1.1", fields: fields.merging(["host": "fabrik"]) { $1 })
  }

  static func answer(_ status: PeerStatus, length: UInt64 = 0, _ fields: [String: String] = [:]) -> MessageHead {
    MessageHead(
      startLine: "HTTP/1.1 \(status.rawValue) \(status.reason)",
      fields: fields.merging(["content-length": String(length)]) { $1 })
  }
}

/// The statuses that peers answer with.
enum PeerStatus: Int, Sendable {
  case ok = 200
  case malformed = 400
  /// No proof of identity, a wrong signature, or a time too far from ours.
  case unauthenticated = 401
  /// The owner has not said yes.
  case refused = 403
  case missing = 404
  /// A limit is reached.
  case busy = 429

  var reason: String {
    switch self {
    case .ok: "OK"
    case .malformed: "Bad Request"
    case .unauthenticated: "Unauthorized"
    case .refused: "Forbidden"
    case .missing: "Not Found"
    case .busy: "Too Many Requests"
    }
  }
}
