import NIOCore
import Synchronization

/// The connections of peers that are being answered.
final class OpenChannels: Sendable {
  private struct State {
    var channels: [ObjectIdentifier: any Channel] = [:]
    var isEnded = false
  }

  private let state = Mutex(State())

  /// Keeps a connection as long as it is open; false when all are being closed.
  func keep(_ channel: any Channel) -> Bool {
    let isKept = state.withLock { state in
      if !state.isEnded { state.channels[ObjectIdentifier(channel)] = channel }
      return !state.isEnded
    }
    channel.closeFuture.whenComplete { _ in
      _ = self.state.withLock { $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
    }
    return isKept
  }

  /// Closes all, and lets no other be kept.
  func end() async {
    let channels = state.withLock { state in
      state.isEnded = true
      return Array(state.channels.values)
    }
    for channel in channels { try? await channel.close().get() }
  }
}
