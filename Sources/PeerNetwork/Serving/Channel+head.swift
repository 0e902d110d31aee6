import NIOCore

extension Channel {
  /// Sends an answer without a body.
  func send(_ head: MessageHead) {
    var buffer = allocator.buffer(capacity: 512)
    head.write(into: &buffer)
    writeAndFlush(buffer, promise: nil)
  }
}
