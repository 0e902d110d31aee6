import NIOCore

/// The answers of the HTTP front end.
enum HTTPAnswer {
  case found
  case notFound
  case stored
  case notAllowed
  case refused
  /// Head and body have been written already.
  case alreadySent

  static let goOn: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

  /// The whole answer; nil when there is nothing left to say.
  func bytes(isKeptAlive: Bool) -> StaticString? {
    switch (self, isKeptAlive) {
    case (.found, true): "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    case (.found, false): "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    case (.notFound, true): "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    case (.notFound, false): "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    case (.stored, true): "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    case (.stored, false): "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    case (.notAllowed, true): "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
    case (.notAllowed, false): "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    case (.refused, true): "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    case (.refused, false): "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    case (.alreadySent, _): nil
    }
  }

  /// What precedes a body of `size` bytes, in a buffer with room for a small body behind it.
  static func bodyHead(size: UInt64, isKeptAlive: Bool, allocator: ByteBufferAllocator) -> ByteBuffer {
    let room = size <= EntrySender.wholeLimit ? Int(size) : 0
    var head = allocator.buffer(capacity: 128 + room)
    head.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ")
    head.writeString(String(size))
    head.writeStaticString(isKeptAlive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
    return head
  }
}
