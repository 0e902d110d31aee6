package import NIOCore

/// Stops reading from a connection while an answer is being sent or the client does not take what was answered, so that
/// a client which asks and never reads costs a bounded amount of memory.
package final class ReadGate: ChannelDuplexHandler {
  package typealias InboundIn = NIOAny
  package typealias OutboundIn = NIOAny

  /// To be set while requests cannot be handled.
  package var isBusy = false {
    didSet { release() }
  }

  private var context: ChannelHandlerContext?
  private var isReadWaiting = false

  package init() {}

  package func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  package func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  package func read(context: ChannelHandlerContext) {
    isReadWaiting = true
    release()
  }

  package func channelWritabilityChanged(context: ChannelHandlerContext) {
    release()
    context.fireChannelWritabilityChanged()
  }

  private func release() {
    guard isReadWaiting, !isBusy, let context, context.channel.isWritable else { return }
    isReadWaiting = false
    context.read()
  }
}
