import ChannelSupport
import ControlProtocol
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Decides when an ephemeral server ends: a while after its last lease, and not in the middle of a transfer.
actor ServerLifecycle {
  enum Event: Sendable {
    case leaseOpened
    case leaseClosed(linger: Duration, remaining: Int)
    case lingerElapsed(generation: Int)
  }

  private enum State: Equatable {
    /// Somebody holds a lease, or the first has not come yet.
    case serving
    case lingering(generation: Int)
    case ended
  }

  private let instance: ServerInstance
  /// Runs where connections are accepted; true when none is open or waiting to be accepted.
  private let isQuiet: @Sendable () async -> Bool
  private let transfers: ActivityCount
  private var state = State.serving
  private var generation = 0
  private var lingeringSince = ContinuousClock.now

  private let events: AsyncStream<Event>
  private nonisolated let continuation: AsyncStream<Event>.Continuation

  /// If no lease comes within this time, the launcher died before it could take one.
  private static let patience = Duration.seconds(30)
  /// Transfers keep a lingering server alive, but not longer than this.
  private static let lingerCap = Duration.seconds(3600)
  /// How soon to look again when the end had to be put off.
  private static let retryInterval = Duration.milliseconds(50)

  init(instance: ServerInstance, transfers: ActivityCount, isQuiet: @escaping @Sendable () async -> Bool) {
    self.instance = instance
    self.transfers = transfers
    self.isQuiet = isQuiet
    (events, continuation) = AsyncStream.makeStream()
  }

  /// Reports an event; in order when called from one thread.
  nonisolated func report(_ event: Event) {
    continuation.yield(event)
  }

  /// Returns when the server's sockets are gone and it should end.
  func run() async {
    elapse(after: Self.patience)
    for await event in events {
      await handle(event)
      if state == .ended { return }
    }
  }

  private func handle(_ event: Event) async {
    switch event {
    case .leaseOpened:
      generation += 1
      state = .serving
    case .leaseClosed(let linger, let remaining):
      guard remaining == 0 else { return }
      generation += 1
      lingeringSince = .now
      state = .lingering(generation: generation)
      if linger == .zero { return await endIfQuiet() }
      elapse(after: linger)
    case .lingerElapsed(let generation):
      guard generation == self.generation else { return }
      await endIfQuiet()
    }
  }

  private func elapse(after delay: Duration) {
    let generation = generation
    Task {
      try? await Task.sleep(for: delay)
      report(.lingerElapsed(generation: generation))
    }
  }

  /// Ends, unless a transfer is under way or a launcher is about to join. A launcher connects while it holds the lock, so
  /// with the lock in hand and nothing waiting, nobody can be on the way.
  private func endIfQuiet() async {
    let isBusy = transfers.current > 0 && ContinuousClock.now - lingeringSince < Self.lingerCap
    guard !isBusy, let lock = try? FileDescriptor.open(instance.lock, .readWrite, options: .closeOnExec) else {
      if !FileSystem.exists(instance.lock) {
        // Somebody removed the runtime directory: nobody can find this server any more.
        state = .ended
        return
      }
      return elapse(after: Self.retryInterval)
    }
    defer { try? lock.close() }
    guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0, await isQuiet() else {
      return elapse(after: Self.retryInterval)
    }
    for socket in [instance.controlSocket, instance.crshSocket] { try? FileSystem.remove(socket) }
    state = .ended
  }
}
