import ChannelSupport
import FrontEnds
import NIOCore

/// The answers of the HTTP front end, as bytes.
enum HTTPAnswer {
  static let goOn: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

  /// A whole answer without an entry's body. The usual ones are constants.
  ///
  /// - Parameter isBodyless: whether the request was a HEAD.
  static func bytes(
    of reply: HTTPReply, isKeptAlive: Bool, isBodyless: Bool, allocator: ByteBufferAllocator
  ) -> ByteBuffer {
    if isKeptAlive, reply == .notFound {
      return allocator.buffer(staticString: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    }
    if isKeptAlive, reply == .ok {
      return allocator.buffer(staticString: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    }
    return allocator.buffer(string: reply.text(isKeptAlive: isKeptAlive, isBodyless: isBodyless))
  }

  /// What precedes a body, in a buffer with room for a small body behind it.
  static func head(
    of body: HTTPBodyFacts, in dialect: any HTTPDialect.Type, isKeptAlive: Bool, allocator: ByteBufferAllocator
  ) -> ByteBuffer {
    let room = body.size <= BodySender.wholeLimit ? Int(body.size) : 0
    var head = allocator.buffer(capacity: 128 + room)
    head.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ")
    head.writeString(String(body.size))
    head.writeStaticString("\r\n")
    head.writeString(dialect.headers(of: body))
    head.writeStaticString(isKeptAlive ? "\r\n" : "Connection: close\r\n\r\n")
    return head
  }
}
