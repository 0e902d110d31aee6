package import NIOCore

extension ChannelHandlerContext {
  /// Closes the connection behind all that was written before: closing by itself drops what has not gone out.
  package func closeBehindWrites() {
    let channel = channel
    writeAndFlush(NIOAny(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
  }
}
