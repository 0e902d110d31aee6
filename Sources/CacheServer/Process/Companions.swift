import ChannelSupport
import ControlProtocol
import NIOCore
import Synchronization

/// Processes beside builds, such as a daemon's owner, that end with their build's lease. They stay connected to the
/// control socket.
final class Companions: Sendable {
  private let channels = Mutex<[String: [any Channel]]>([:])

  /// Less than ``ControlMessage/finishPatience``.
  private static let patience = TimeAmount.milliseconds(1500)

  func add(_ channel: any Channel, to lease: String) {
    channels.withLock { $0[lease, default: []].append(channel) }
    channel.closeFuture.whenComplete { _ in self.remove(channel, from: lease) }
  }

  private func remove(_ channel: any Channel, from lease: String) {
    channels.withLock { channels in
      channels[lease]?.removeAll { $0 === channel }
      if channels[lease]?.isEmpty == true { channels[lease] = nil }
    }
  }

  /// Tells all of a lease that the build is over.
  @discardableResult
  func dismiss(lease: String?) -> [any Channel] {
    let dismissed = channels.withLock { channels in lease.flatMap { channels[$0] } ?? [] }
    for channel in dismissed {
      let message = channel.allocator.buffer(bytes: ControlMessage(ControlMessage.end).encoded)
      channel.writeAndFlush(message, promise: nil)
    }
    return dismissed
  }

  /// Tells all of a lease that the build is over; succeeds when they are gone, or have taken too long. At once when
  /// there are none.
  func dismiss(lease: String?, on loop: any EventLoop) -> EventLoopFuture<Void> {
    let dismissed = dismiss(lease: lease)
    guard !dismissed.isEmpty else { return loop.makeSucceededVoidFuture() }
    let gone = EventLoopFuture.whenAllComplete(dismissed.map(\.closeFuture), on: loop).map { _ in }
    return gone.or((), at: loop.now + Self.patience, on: loop)
  }
}
