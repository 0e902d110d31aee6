import ChannelSupport
import ControlProtocol
import Glibc
import Synchronization
import SystemPackage
import SystemSupport

/// Decides when the server ends: an ephemeral one a while after its last lease and its last transfer, a daemon when it
/// is told to.
actor ServerLifecycle {
  enum Event: Sendable {
    case leaseOpened
    case leaseClosed(linger: Duration, remaining: Int)
    case lingerElapsed(generation: Int)
    /// The server is a daemon from now on.
    case kept
    /// It is to end, after the builds that use it.
    case stopped(leases: Int)
    /// It is to end now.
    case terminated
  }

  private enum State: Equatable {
    /// Somebody holds a lease, or the first has not come yet, or nobody needs to.
    case serving
    case lingering
    case ended
  }

  private let instance: ServerInstance
  private let claim: SocketClaim
  /// Runs where connections are accepted; true when none is open or waiting to be accepted.
  private let isQuiet: @Sendable () async -> Bool
  private let transfers: ActivityCount
  /// Entries that may soon be sent up.
  private let uploads: @Sendable () -> Int
  private var state = State.serving
  private var generation = 0
  private var linger = Duration.zero
  private var lingeringSince = ContinuousClock.now
  private var isStopping = false
  private let kept = Atomic<Bool>(false)

  private let events: AsyncStream<Event>
  private nonisolated let continuation: AsyncStream<Event>.Continuation

  /// If no lease comes within this time, the launcher died before it could take one.
  private static let patience = Duration.seconds(30)
  /// Transfers keep a lingering server alive, but not longer than this.
  private static let lingerCap = Duration.seconds(3600)
  /// Transfers put off the end of a server that was told to stop, but not longer than this.
  private static let stopCap = Duration.seconds(5)
  /// Uploads that wait put off any end, since a CI job's machine may be gone afterwards, but not longer than this.
  private static let uploadCap = Duration.seconds(60)
  /// How soon to look again when the end had to be put off.
  private static let retryInterval = Duration.milliseconds(50)
  /// A launcher holds the lock for a millisecond or two.
  private static let lockAttempts = 20

  init(
    instance: ServerInstance, claim: SocketClaim, transfers: ActivityCount, uploads: @escaping @Sendable () -> Int,
    isQuiet: @escaping @Sendable () async -> Bool
  ) {
    self.instance = instance
    self.claim = claim
    self.transfers = transfers
    self.uploads = uploads
    self.isQuiet = isQuiet
    (events, continuation) = AsyncStream.makeStream()
  }

  /// Whether this is a daemon.
  nonisolated var isDaemon: Bool { kept.load(ordering: .sequentiallyConsistent) }

  /// Reports an event; in order when called from one thread.
  nonisolated func report(_ event: Event) {
    switch event {
    // At once: whoever asked is told so before the event has its turn.
    case .kept: kept.store(true, ordering: .sequentiallyConsistent)
    case .stopped: kept.store(false, ordering: .sequentiallyConsistent)
    default: break
    }
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
    case .leaseOpened, .kept:
      generation += 1
      state = .serving
      if case .kept = event { isStopping = false }
    case .leaseClosed(let linger, let remaining):
      guard remaining == 0, !isDaemon else { return }
      await beginLinger(isStopping ? .zero : linger)
    case .stopped(let leases):
      isStopping = true
      if leases == 0 { await beginLinger(.zero) }
    case .lingerElapsed(let generation):
      guard generation == self.generation else { return }
      await endIfIdle()
    case .terminated: await endNow()
    }
  }

  private func beginLinger(_ linger: Duration) async {
    generation += 1
    self.linger = linger
    lingeringSince = .now
    state = .lingering
    if linger == .zero { return await endIfIdle() }
    elapse(after: linger)
  }

  private func elapse(after delay: Duration) {
    let generation = generation
    Task {
      try? await Task.sleep(for: delay)
      report(.lingerElapsed(generation: generation))
    }
  }

  /// Ends when no transfer is under way and the last is long enough ago, or when this has taken too long.
  private func endIfIdle() async {
    let lingered = ContinuousClock.now - lingeringSince
    if uploads() > 0, lingered < Self.uploadCap { return elapse(after: Self.retryInterval) }
    if lingered < (isStopping ? Self.stopCap : Self.lingerCap) {
      if transfers.current > 0 { return elapse(after: Self.retryInterval) }
      let rest = linger - transfers.idleTime
      if rest > .zero { return elapse(after: rest) }
    }
    await endIfQuiet()
  }

  /// Ends, unless a launcher is about to join. A launcher connects while it holds the lock, so with the lock in hand
  /// and nothing waiting, nobody can be on the way.
  private func endIfQuiet() async {
    guard let lock = takeLock() else {
      if !FileSystem.exists(instance.lock) {
        // Somebody removed the runtime directory: nobody can find this server any more.
        state = .ended
        return
      }
      return elapse(after: Self.retryInterval)
    }
    defer { try? lock.close() }
    guard await isQuiet() else { return elapse(after: Self.retryInterval) }
    // Somebody may have had the last word meanwhile.
    guard !isDaemon else { return }
    claim.removeSockets()
    state = .ended
  }

  /// Ends whoever is connected.
  private func endNow() async {
    for _ in 0..<Self.lockAttempts {
      if let lock = takeLock() {
        claim.removeSockets()
        try? lock.close()
        break
      }
      guard FileSystem.exists(instance.lock) else { break }
      try? await Task.sleep(for: Self.retryInterval)
    }
    state = .ended
  }

  private func takeLock() -> FileDescriptor? {
    guard let lock = try? FileDescriptor.open(instance.lock, .readWrite, options: .closeOnExec) else { return nil }
    if flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 { return lock }
    try? lock.close()
    return nil
  }
}
