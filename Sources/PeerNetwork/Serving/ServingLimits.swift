import NIOCore
import PeerRecords
import Synchronization

/// What peers may take of this machine, all together.
final class ServingLimits: Sendable {
  /// Connections; each costs some 50 KiB.
  static let connections = 256
  /// Connections from one address. A server opens at most five; several may run on one machine.
  static let connectionsPerAddress = 64
  /// Bodies on their way out at the same time; who asks for more is told to try elsewhere.
  static let transfers = 32
  /// Of these, for one machine: more than its connections to fetch on, of which there are four, and the one for the
  /// summary. A member that takes its answers as slowly as it may must not keep all the others out.
  static let transfersPerPeer = 8
  /// Bytes per second, all peers together: twice a 1 Gbit/s link.
  static let uploadRate = 256_000_000
  /// Bytes that may go out at once after a quiet moment.
  private static let burst = 16_000_000

  private struct State {
    var connections = 0
    var perAddress: [String: Int] = [:]
    var transfers: [PeerIdentifier: Int] = [:]
    var transferCount = 0
    /// When all that has been admitted will have gone out at ``uploadRate``.
    var busyUntil = NIODeadline.now()
  }

  private let state = Mutex(State())

  /// False: too many. Otherwise ``closeConnection(from:)`` must follow.
  func openConnection(from address: String) -> Bool {
    state.withLock { state in
      guard state.connections < Self.connections,
        state.perAddress[address, default: 0] < Self.connectionsPerAddress
      else { return false }
      state.connections += 1
      state.perAddress[address, default: 0] += 1
      return true
    }
  }

  func closeConnection(from address: String) {
    state.withLock { state in
      state.connections -= 1
      guard let count = state.perAddress[address] else { return }
      state.perAddress[address] = count > 1 ? count - 1 : nil
    }
  }

  /// False: too many. Otherwise ``endTransfer(for:)`` must follow.
  func beginTransfer(for peer: PeerIdentifier) -> Bool {
    state.withLock { state in
      guard state.transferCount < Self.transfers, state.transfers[peer, default: 0] < Self.transfersPerPeer else {
        return false
      }
      state.transferCount += 1
      state.transfers[peer, default: 0] += 1
      return true
    }
  }

  func endTransfer(for peer: PeerIdentifier) {
    state.withLock { state in
      guard let count = state.transfers[peer] else { return }
      state.transferCount -= 1
      state.transfers[peer] = count > 1 ? count - 1 : nil
    }
  }

  /// How long to wait before so many bytes are sent.
  func delay(of bytes: Int, now: NIODeadline = .now()) -> TimeAmount {
    state.withLock { state in
      let slack = TimeAmount.nanoseconds(Int64(Self.burst) * 1_000_000_000 / Int64(Self.uploadRate))
      state.busyUntil =
        max(state.busyUntil, now) + .nanoseconds(Int64(bytes) * 1_000_000_000 / Int64(Self.uploadRate))
      return state.busyUntil - slack > now ? state.busyUntil - slack - now : .zero
    }
  }
}
