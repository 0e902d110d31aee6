import LayeredCache
import NIOCore
import PeerRecords

/// This machine's connections to one peer: one on which the peer tells what it holds, and some to fetch on. To be used on
/// its event loop only.
final class PeerLink {
  enum State {
    case connecting
    /// The peer has introduced itself.
    case connected(PeerClientHandler.Welcome)
    case ended
  }

  /// Bodies come one after another on a connection; with several, a large one does not hold up the small ones.
  private static let mostFetchers = 4
  /// Of these, what is fetched ahead leaves so many to what tools wait for.
  private static let toolFetchers = 2
  /// Requests on one connection whose answers have not come.
  private static let depth = 16
  /// A summary on request comes at once.
  private static let firstSummaryPatience = TimeAmount.seconds(10)
  /// Longer than the peer waits for changes.
  private static let summaryPatience = SummaryAnswer.changePatience + .seconds(15)
  /// How soon to ask for changes again, and how much later for each that came.
  private static let changePause = TimeAmount.milliseconds(5)
  private static let fingerprintPause = TimeAmount.microseconds(1)
  /// How soon to ask again after a refusal, which the peer gives only when nothing has changed for a while.
  private static let refusalPause = TimeAmount.seconds(1)

  let endpoint: PeerEndpoint
  let slot: PeerIndex.Slot
  private(set) var state = State.connecting
  /// What the peer says to our requests; nil as long as it has not said anything.
  private(set) var answer = PeerSighting.Answer.unknown
  var breaker = CircuitBreaker()
  var latency = LatencyEstimate()
  /// The other clock minus ours, in milliseconds, when it introduced itself.
  var clockOffset: Int64 = 0
  /// Whether its first summary has come, or will not.
  private(set) var isSettled = false

  private let directory: PeerDirectory
  private var watcher: PeerClientHandler?
  private var fetchers: [PeerClientHandler] = []
  private var generation: SummaryGeneration?
  /// What the peer holds has been forgotten; changes alone are worth nothing.
  private var needsEverything = false

  init(endpoint: PeerEndpoint, directory: PeerDirectory) {
    self.endpoint = endpoint
    self.directory = directory
    slot = directory.index.open()
  }

  var peer: Introduction? {
    if case .connected(let welcome) = state { welcome.peer } else { nil }
  }

  /// Opens the first connection.
  func start() {
    watcher = directory.connector.connect(to: endpoint, port: directory.listeningPort) { [weak self] welcome in
      self?.welcomed(welcome)
    } onClose: { [weak self] in
      self?.end()
    }
  }

  private func welcomed(_ welcome: PeerClientHandler.Welcome) {
    guard case .connecting = state else { return }
    state = .connected(welcome)
    guard directory.accept(self, welcome) else { return end() }
    note(welcome.consent)
    // Who has not been let in will hear no sooner than its owner answers.
    if answer != .allowed { settle() }
    addFetcher()
    askForSummary()
  }

  /// Closes all connections. What is under way fails.
  func end() {
    if case .ended = state { return }
    state = .ended
    settle()
    directory.index.close(slot)
    let handlers = fetchers + [watcher].compactMap { $0 }
    fetchers = []
    watcher = nil
    for handler in handlers { handler.close() }
    directory.ended(self)
  }

  private func settle() {
    guard !isSettled else { return }
    isSettled = true
    directory.settled()
  }

  private func note(_ answer: PeerSighting.Answer) {
    self.answer = answer
    guard let peer else { return }
    directory.book.answered(peer.identifier, answer)
    directory.index.note(answer, of: peer.name, at: slot)
  }

  // MARK: - The summary

  private func askForSummary() {
    guard let watcher, peer != nil else { return }
    let loop = directory.loop
    let this = NIOLoopBound(self, eventLoop: loop)
    let timeout = loop.scheduleTask(
      in: generation == nil && answer == .allowed ? Self.firstSummaryPatience : Self.summaryPatience
    ) {
      this.value.end()
    }
    watcher.ask(
      .summary(since: generation),
      SummaryReader { [weak self] result in
        timeout.cancel()
        self?.take(result)
      })
  }

  private func take(_ result: SummaryReader.Result) {
    let count: Int
    switch result {
    case .full(let generation, let table):
      count = table.count
      self.generation = generation
      needsEverything = false
      directory.index.replace(slot, by: table)
    case .changes where needsEverything:
      count = 0
      generation = nil
    case .changes(let generation, let added):
      count = added.count
      self.generation = generation
      directory.index.insert(added, into: slot)
    case .refused(let answer):
      note(answer)
      directory.index.clear(slot)
      generation = nil
      settle()
      return askForSummary(in: Self.refusalPause)
    case .busy: return askForSummary(in: Self.refusalPause)
    case .failed: return end()
    }
    if answer != .allowed { note(.allowed) }
    settle()
    // A peer that always has something new is not listened to all the time.
    askForSummary(in: Self.changePause + Self.fingerprintPause * count)
  }

  private func askForSummary(in pause: TimeAmount) {
    let this = NIOLoopBound(self, eventLoop: directory.loop)
    directory.loop.scheduleTask(in: pause) { this.value.askForSummary() }
  }

  // MARK: - Fetching

  private func addFetcher() {
    guard let peer else { return }
    let fetcher = directory.connector.connect(to: endpoint, port: directory.listeningPort) { [weak self] welcome in
      // Somebody else, or another server, is there by now: it holds other things than this one said, and must not
      // answer for it.
      if welcome.peer.publicKey != peer.publicKey || welcome.peer.instance != peer.instance { self?.end() }
    } onClose: { [weak self] in
      self?.fetchers.removeAll { $0.isClosed }
    }
    // Where there is no route, it is closed before it is here.
    if let fetcher, !fetcher.isClosed { fetchers.append(fetcher) }
  }

  /// Makes sure that there is a connection to fetch on.
  func warmUp() {
    if peer != nil, answer == .allowed, fetchers.isEmpty { addFetcher() }
  }

  /// How busy the peer is with our requests, and how far away.
  var cost: Int64 {
    let load = fetchers.map(\.outstanding).reduce(0, +)
    return Int64(load + 1) * (latency.typical ?? .milliseconds(1)).nanoseconds
  }

  func mayBeAsked(now: NIODeadline) -> Bool {
    answer == .allowed && peer != nil && breaker.isClosed(now: now)
  }

  /// Asks for an entry; nil when no connection takes another request.
  func ask(
    _ target: PeerTarget, _ consumer: any AnswerConsumer, urgency: FetchUrgency = .tool
  ) -> PeerClientHandler? {
    guard peer != nil else { return nil }
    let kept = urgency == .prefetch ? Self.toolFetchers : 0
    for _ in 0...kept where fetchers.count < Self.mostFetchers {
      if fetchers.dropFirst(kept).allSatisfy({ $0.outstanding > 0 }) { addFetcher() }
    }
    // One that is still being opened takes requests as well, and sends them when it is.
    let best = fetchers.dropFirst(kept).min {
      ($0.outstanding, $0.isReady ? 0 : 1) < ($1.outstanding, $1.isReady ? 0 : 1)
    }
    guard let best, best.outstanding < Self.depth else { return nil }
    best.ask(target, consumer)
    return best
  }

  /// The peer does not let us fetch any more.
  func wasRefused() {
    note(.pending)
    directory.index.clear(slot)
    needsEverything = true
  }
}
