import NIOCore

/// Encrypts what is written and decrypts what is read. Nothing reaches the handlers behind it before the handshake is
/// done, which they learn by ``SecureChannelEstablished``.
final class SecureChannelHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case handshaking
    case established
    case closed
  }

  /// A handshake takes two round trips; whoever needs longer is not on this network, or does not want to.
  static let handshakePatience = TimeAmount.seconds(5)
  /// One TLS record's worth.
  private static let readSize = 1 << 14
  /// What is encrypted at once: a bound on the memory that a connection keeps.
  private static let writeSize = 1 << 16

  private let connection: SecureConnection
  private var state = State.handshaking
  private var patience: Scheduled<Void>?

  init(_ connection: SecureConnection) {
    self.connection = connection
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard patience == nil else { return }
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    patience = context.eventLoop.scheduleTask(in: Self.handshakePatience) {
      let (handler, context) = this.value
      if handler.state == .handshaking { handler.fail(context) }
    }
    if connection.role == .client { handshake(context) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    guard state != .closed, bytes.withUnsafeReadableBytes(connection.receive) else { return fail(context) }
    if state == .handshaking { handshake(context) }
    if state == .established { decrypt(context) }
  }

  private func handshake(_ context: ChannelHandlerContext) {
    let progress = connection.handshake()
    send(context, promise: nil)
    context.flush()
    switch progress {
    case .waiting: break
    case .failed: fail(context)
    case .done:
      guard let exporter = connection.exporter() else { return fail(context) }
      state = .established
      patience?.cancel()
      context.fireUserInboundEventTriggered(SecureChannelEstablished(exporter: exporter))
    }
  }

  private func decrypt(_ context: ChannelHandlerContext) {
    while state == .established {
      var buffer = context.channel.allocator.buffer(capacity: Self.readSize)
      var progress = SecureConnection.Progress.waiting
      buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.readSize) { space in
        let (result, count) = connection.read(into: space)
        progress = result
        return count
      }
      switch progress {
      case .done: context.fireChannelRead(wrapInboundOut(buffer))
      case .waiting:
        // A key update asks for an answer.
        send(context, promise: nil)
        return
      case .failed:
        // The reason, for the other end.
        send(context, promise: nil)
        context.flush()
        return fail(context)
      }
    }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    var bytes = unwrapOutboundIn(data)
    repeat {
      let piece = bytes.readSlice(length: min(bytes.readableBytes, Self.writeSize)) ?? ByteBuffer()
      guard state == .established, piece.withUnsafeReadableBytes(connection.write) else {
        promise?.fail(ChannelError.ioOnClosedChannel)
        return
      }
      send(context, promise: bytes.readableBytes == 0 ? promise : nil)
    } while bytes.readableBytes > 0
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    if state == .established {
      connection.shutdown()
      send(context, promise: nil)
      context.flush()
    }
    end()
    context.close(mode: mode, promise: promise)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  private func end() {
    state = .closed
    patience?.cancel()
  }

  private func send(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    var isSent = false
    connection.takePending { bytes in
      isSent = true
      context.write(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: promise)
    }
    if !isSent { promise?.succeed() }
  }

  private func fail(_ context: ChannelHandlerContext) {
    guard state != .closed else { return }
    end()
    context.close(promise: nil)
  }
}

/// The channel is encrypted and both ends have the team's key.
struct SecureChannelEstablished: Sendable {
  /// See ``SecureConnection/exporter()``.
  let exporter: [UInt8]
}
