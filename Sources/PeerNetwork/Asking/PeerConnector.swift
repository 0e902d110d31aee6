import ChannelSupport
import NIOCore
import NIOPosix

/// Opens connections to peers, all on one event loop.
struct PeerConnector {
  let loop: any EventLoop
  let member: TeamMember

  /// On a local network an answer takes a millisecond.
  private static let patience = TimeAmount.seconds(2)

  /// - Parameters:
  ///   - port: where this machine can itself be asked.
  ///   - onWelcome, onClose: see ``PeerClientHandler``; called on the loop. `onClose` is called in any case.
  func connect(
    to endpoint: PeerEndpoint, port: UInt16, onWelcome: @escaping (PeerClientHandler.Welcome) -> Void,
    onClose: @escaping () -> Void
  ) -> PeerClientHandler? {
    guard let address = endpoint.socketAddress, let connection = try? member.security.makeConnection(.client) else {
      loop.execute(onClose)
      return nil
    }
    let handler = PeerClientHandler(member: member, port: port, onWelcome: onWelcome, onClose: onClose)
    let handlers = NIOLoopBound((connection, handler), eventLoop: loop)
    ClientBootstrap(group: loop)
      .connectTimeout(Self.patience)
      .channelOption(
        .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 1 << 18)
      )
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let (connection, handler) = handlers.value
          try channel.pipeline.syncOperations.addHandlers([ReadGate(), SecureChannelHandler(connection), handler])
        }
      }
      .connect(to: address)
      .whenFailure { _ in handlers.value.1.close() }
    return handler
  }
}

extension EventLoop {
  /// Runs something on this loop that belongs to it, later.
  fileprivate func execute(_ body: @escaping () -> Void) {
    let bound = NIOLoopBound(body, eventLoop: self)
    execute { bound.value() }
  }
}
