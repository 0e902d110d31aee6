import FrontEnds
import NIOCore

/// What has come in on a connection of messages, and has not been taken yet.
struct LinkInput<Message: LinkMessage> {
  private var parser = LinkMessageParser<Message>()
  private var buffer: ByteBuffer?

  mutating func append(_ bytes: ByteBuffer) {
    var bytes = bytes
    if buffer == nil { buffer = bytes } else { buffer?.writeBuffer(&bytes) }
  }

  /// The next message; nil when more bytes are needed first. To be called until it returns nil.
  mutating func next() -> LinkMessageParser<Message>.Event? {
    guard let (consumed, event) = buffer?.withUnsafeReadableBytes({ parser.next($0) }) else {
      if buffer?.readableBytes == 0 { buffer = nil } else { buffer?.discardReadBytes() }
      return nil
    }
    buffer?.moveReaderIndex(forwardBy: consumed)
    return event
  }
}
