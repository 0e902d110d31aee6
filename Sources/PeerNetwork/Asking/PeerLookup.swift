import CacheStore
import ControlProtocol
import LayeredCache
import NIOCore
import PeerRecords

/// Looks for one entry among the peers that say to hold it: asks the nearest, a second one as well when the first is
/// late, and takes the first answer that begins. To be used on the peers' event loop only.
final class PeerLookup {
  /// Peers that are asked for one key.
  private static let mostAttempts = 3

  let key: CacheKey
  let store: CacheStore
  let urgency: FetchUrgency
  let directory: PeerDirectory
  private let promise: EventLoopPromise<LayerAnswer>
  private var candidates: [PeerLink]
  private var attempts: [EntryFetch] = []
  private var hedge: Scheduled<Void>?
  /// The attempt whose body is being taken.
  private var winner: EntryFetch?
  private var isDone = false
  /// Why a peer that was asked gave nothing.
  private var outcome: LayerOutcome?
  /// Whether a tool waits.
  private var isUrgent: Bool

  /// - Parameter candidates: the best first.
  init(
    key: CacheKey, store: CacheStore, urgency: FetchUrgency = .tool, candidates: [PeerLink], directory: PeerDirectory,
    promise: EventLoopPromise<LayerAnswer>
  ) {
    self.key = key
    self.store = store
    self.urgency = urgency
    isUrgent = urgency == .tool
    self.candidates = candidates
    self.directory = directory
    self.promise = promise
  }

  /// Asks the next peer; ends as a miss when there is none and nobody's answer is awaited.
  func next() {
    hedge?.cancel()
    guard winner == nil, !isDone else { return }
    let now = NIODeadline.now()
    while attempts.count < Self.mostAttempts, !candidates.isEmpty {
      let link = candidates.removeFirst()
      guard link.breaker.admits(now: now) else { continue }
      let attempt = EntryFetch(lookup: self, link: link)
      guard let connection = link.ask(.entry(key), attempt, urgency: urgency) else {
        link.breaker.recordNothing(now: now)
        continue
      }
      attempts.append(attempt)
      attempt.start(on: connection, loop: directory.loop)
      if isUrgent { scheduleHedge(in: link.latency.late) }
      return
    }
    if attempts.allSatisfy(\.isOver) { finish(nil) }
  }

  private func scheduleHedge(in time: TimeAmount) {
    guard attempts.count < Self.mostAttempts, !candidates.isEmpty else { return }
    let this = NIOLoopBound(self, eventLoop: directory.loop)
    hedge = directory.loop.scheduleTask(in: time) { this.value.next() }
  }

  /// A tool has begun to wait for what was asked for ahead: from now on, an answer may be late.
  func expedite() {
    guard !isUrgent, winner == nil, !isDone, let latest = attempts.last else { return }
    isUrgent = true
    scheduleHedge(in: latest.link.latency.late)
  }

  /// Whether an attempt may take its body: the first one to ask may.
  func claim(_ attempt: EntryFetch) -> Bool {
    guard winner == nil, !isDone else { return false }
    winner = attempt
    hedge?.cancel()
    return true
  }

  /// The next to be asked is one that was asked already, but could not answer. False: it has been asked twice, and others
  /// must have their turn.
  @discardableResult
  func askAgain(_ link: PeerLink) -> Bool {
    guard attempts.count(where: { $0.link === link }) < 2 else { return false }
    candidates.insert(link, at: 0)
    return true
  }

  /// A peer that has it, but was not the first to say so: it may be asked once more if that one breaks off.
  func keepInReserve(_ link: PeerLink) { candidates.append(link) }

  /// An attempt has ended without the entry.
  func failed(_ attempt: EntryFetch) {
    if winner === attempt { winner = nil }
    // That one does not have it after all says less than what became of another.
    if outcome == nil || attempt.outcome.kind != .absent { outcome = attempt.outcome }
    if !isDone, winner == nil { next() }
  }

  /// - Parameter stored: when a body that is handed over will be in the store.
  func succeeded(
    _ attempt: EntryFetch, size: UInt64, duration: UInt32?, body: ByteBuffer?, stored: EventLoopFuture<Void>?
  ) {
    guard let peer = attempt.link.peer else { return finish(nil) }
    directory.book.fetched(peer.identifier, bytes: size)
    finish(
      FetchedEntry(
        layer: .peers, peer: PeerName(id: peer.identifier.description, name: peer.name), size: size,
        duration: duration, body: body, stored: stored))
  }

  private func finish(_ result: FetchedEntry?) {
    guard !isDone else { return }
    isDone = true
    hedge?.cancel()
    if urgency == .prefetch { directory.ahead[key] = nil }
    // Attempts hold on to their lookup.
    attempts = []
    winner = nil
    promise.succeed(result.map { .entry($0) } ?? .nothing(outcome ?? unasked))
  }

  /// Nobody could be asked: whoever holds it has failed lately, or has no connection left.
  private var unasked: LayerOutcome {
    LayerOutcome(.suspended, detail: directory.holders(of: store.fingerprint(of: key)))
  }

  /// The peer does not have it after all.
  func forget(_ link: PeerLink) { directory.index.remove(store.fingerprint(of: key), from: link.slot) }
}
