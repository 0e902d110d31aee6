/// When a server ends: an ephemeral one a while after its last lease and its last transfer, a daemon when it is told to.
/// It is told what happens and what time it is, and says what is to be done; ``ServerLifecycle`` does it.
struct LingerPolicy {
  enum Event: Sendable, Equatable {
    case leaseOpened
    case leaseClosed(linger: Duration, remaining: Int)
    /// What ``Step/look(after:generation:)`` asked for.
    case looked(generation: Int)
    /// The server is a daemon from now on.
    case kept
    /// It is to end, after the builds that use it.
    case stopped(leases: Int)
    /// It is to end now.
    case terminated
  }

  enum Step: Equatable {
    /// Nothing, until something happens.
    case wait
    /// ``Event/looked(generation:)`` is to be reported after this time.
    case look(after: Duration, generation: Int)
    /// The server ends, unless somebody is about to join it.
    case end
    /// The server ends, whoever is connected.
    case endNow
  }

  /// What would be cut off by an end.
  struct Activity: Equatable {
    /// Bodies on the wire.
    let transfers: Int
    /// Since the last of them.
    let idleTime: Duration
    /// Entries that may soon be sent up.
    let uploads: Int
  }

  /// If no lease comes within this time, the launcher died before it could take one.
  static let patience = Duration.seconds(30)
  /// Transfers keep a lingering server alive, but not longer than this.
  static let lingerCap = Duration.seconds(3600)
  /// Transfers put off the end of a server that was told to stop, but not longer than this.
  static let stopCap = Duration.seconds(5)
  /// Uploads that wait put off any end, since a CI job's machine may be gone afterwards, but not longer than this.
  static let uploadCap = Duration.seconds(60)
  /// How soon to look again when the end had to be put off.
  static let retryInterval = Duration.milliseconds(50)

  private var isDaemon = false
  private var isStopping = false
  private var linger = Duration.zero
  private var lingeringSince: ContinuousClock.Instant
  /// Of what is looked at: an event in between makes a look void that was asked for before.
  private var generation = 0

  /// - Parameter now: when the server was started.
  init(now: ContinuousClock.Instant) {
    lingeringSince = now
  }

  /// What a server that has just been started does.
  var firstStep: Step { look(after: Self.patience) }
  /// What to do when the end was not possible.
  var stepAfterDelay: Step { look(after: Self.retryInterval) }

  mutating func handle(_ event: Event, activity: Activity, now: ContinuousClock.Instant) -> Step {
    switch event {
    case .leaseOpened:
      generation += 1
      return .wait
    case .kept:
      generation += 1
      isDaemon = true
      isStopping = false
      return .wait
    case .leaseClosed(let linger, let remaining):
      guard remaining == 0, !isDaemon else { return .wait }
      return beginLinger(isStopping ? .zero : linger, activity, now)
    case .stopped(let leases):
      isDaemon = false
      isStopping = true
      return leases == 0 ? beginLinger(.zero, activity, now) : .wait
    case .looked(let generation):
      return generation == self.generation ? endIfIdle(activity, now) : .wait
    case .terminated: return .endNow
    }
  }

  private mutating func beginLinger(_ linger: Duration, _ activity: Activity, _ now: ContinuousClock.Instant) -> Step {
    generation += 1
    self.linger = linger
    lingeringSince = now
    return linger == .zero ? endIfIdle(activity, now) : look(after: linger)
  }

  /// Ends when no transfer is under way and the last is long enough ago, or when this has taken too long.
  private func endIfIdle(_ activity: Activity, _ now: ContinuousClock.Instant) -> Step {
    let lingered = now - lingeringSince
    if activity.uploads > 0, lingered < Self.uploadCap { return stepAfterDelay }
    if lingered < (isStopping ? Self.stopCap : Self.lingerCap) {
      if activity.transfers > 0 { return stepAfterDelay }
      let rest = linger - activity.idleTime
      if rest > .zero { return look(after: rest) }
    }
    return .end
  }

  private func look(after delay: Duration) -> Step { .look(after: delay, generation: generation) }
}
