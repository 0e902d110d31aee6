import ChannelSupport
import ControlProtocol
import Glibc
import Synchronization
import SystemPackage
import SystemSupport

/// Ends the server when ``LingerPolicy`` says so, such that no launcher is about to join it.
actor ServerLifecycle {
  private let instance: ServerInstance
  private let claim: SocketClaim
  /// Runs where connections are accepted; true when none is open or waiting to be accepted.
  private let isQuiet: @Sendable () async -> Bool
  private let transfers: ActivityCount
  /// Entries that may soon be sent up.
  private let uploads: @Sendable () -> Int
  private var policy = LingerPolicy(now: .now)
  private let kept = Atomic<Bool>(false)

  private let events: AsyncStream<LingerPolicy.Event>
  private nonisolated let continuation: AsyncStream<LingerPolicy.Event>.Continuation

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
  nonisolated func report(_ event: LingerPolicy.Event) {
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
    _ = await hasEnded(after: policy.firstStep)
    for await event in events {
      let activity = LingerPolicy.Activity(
        transfers: transfers.current, idleTime: transfers.idleTime, uploads: uploads())
      if await hasEnded(after: policy.handle(event, activity: activity, now: .now)) { return }
    }
  }

  /// Does what the policy says, and tells whether the server's sockets are gone.
  private func hasEnded(after step: LingerPolicy.Step) async -> Bool {
    switch step {
    case .wait: return false
    case .look(let delay, let generation):
      Task {
        try? await Task.sleep(for: delay)
        report(.looked(generation: generation))
      }
      return false
    case .end: return await endIfQuiet()
    case .endNow:
      await endNow()
      return true
    }
  }

  /// Ends, unless a launcher is about to join. A launcher connects while it holds the lock, so with the lock in hand
  /// and nothing waiting, nobody can be on the way.
  private func endIfQuiet() async -> Bool {
    guard let lock = takeLock() else {
      // Without the runtime directory nobody can find this server any more.
      if !FileSystem.exists(instance.lock) { return true }
      return await hasEnded(after: policy.stepAfterDelay)
    }
    defer { try? lock.close() }
    guard await isQuiet() else { return await hasEnded(after: policy.stepAfterDelay) }
    // Somebody may have had the last word meanwhile.
    if isDaemon { return false }
    claim.removeSockets()
    return true
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
      try? await Task.sleep(for: LingerPolicy.retryInterval)
    }
  }

  private func takeLock() -> FileDescriptor? {
    guard let lock = try? FileDescriptor.open(instance.lock, .readWrite, options: .closeOnExec) else { return nil }
    if flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 { return lock }
    try? lock.close()
    return nil
  }
}
