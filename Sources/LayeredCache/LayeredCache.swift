package import CacheStore
import ControlProtocol
import NIOCore
import Synchronization

/// What front ends ask: the layers in their order, with every answer counted for the lease that asked.
///
/// A caller sees a hit or a miss, never an error. The local store is asked on the calling thread: an answer from the
/// page cache takes less time than a switch to another thread. Other layers are asked only for what the local store
/// does not have; what they give is put there first.
package final class LayeredCache: Sendable {
  let local: CacheStore
  private let remote = Mutex<[any CacheLayer]>([])
  /// Keys that are being fetched: who asks for one of them waits for the same answer.
  private let flights = Mutex<[Flight: Answer]>([:])

  /// A request to one layer.
  private struct Flight: Hashable {
    let key: CacheKey
    let layer: LayerIdentifier
  }

  /// What will be answered to it.
  private struct Answer {
    let future: EventLoopFuture<LayerAnswer>
    /// The most urgent of all who wait.
    var urgency: FetchUrgency
    /// Why it was asked for at first.
    let origin: FetchUrgency
  }

  /// Tells other machines of what has been stored here.
  private let observers = Mutex<[StoreObserver]>([])

  /// A closure by itself would be wrapped in one more thunk each time it is taken out of the mutex.
  private struct StoreObserver: Sendable {
    let body: @Sendable (StoreEvent) -> Void
  }

  package init(local: CacheStore) {
    self.local = local
  }

  /// Adds a layer at its place: behind those that are nearer or as near.
  package func add(_ layer: any CacheLayer) {
    remote.withLock { layers in
      layers.insert(layer, at: layers.firstIndex { $0.name > layer.name } ?? layers.endIndex)
    }
  }

  /// Calls `body` for each entry that is stored from now on.
  package func onStore(_ body: @escaping @Sendable (StoreEvent) -> Void) {
    observers.withLock { $0.append(StoreObserver(body: body)) }
  }

  // MARK: - Other layers

  /// Fetches what the local store does not have; nil when it is not worth asking anybody. The answer comes on `loop`. What
  /// the layers have answered is in the account, until the lookup is recorded.
  func fetch(
    _ key: CacheKey, for account: StatisticsAccount, on loop: any EventLoop
  ) -> EventLoopFuture<FetchedEntry?>? {
    let layers = layers(for: account)
    guard layers.contains(where: { $0.mayHold(key) || $0.isSettling }) else { return nil }
    return fetch(key, from: layers[...], for: account, on: loop)
  }

  /// The way of a lookup that nobody could answer.
  ///
  /// - Parameters:
  ///   - answers: of the layers that were asked.
  ///   - awaited: the outcome of the others, where they may hold it; nil: they were not asked.
  func steps(
    _ key: CacheKey, answers: [LookupStep], awaited: LayerOutcome? = nil, for account: StatisticsAccount
  ) -> [LookupStep] {
    let layers = remote.withLock { $0 }
    var steps = [LookupStep(.local, local.outcome(of: key))]
    steps.reserveCapacity(layers.count + 1)
    for layer in layers {
      let (name, place) = (layer.name, layer.place)
      if let answer = answers.first(where: { $0.layer == name && $0.place == place }) {
        steps.append(answer)
      } else {
        let reason =
          account.reasonNotToAsk(layer.identifier) ?? awaited.flatMap { layer.mayHold(key) ? $0 : nil }
          ?? layer.reasonNotToAsk(key)
        steps.append(LookupStep(name, place: place, reason))
      }
    }
    return steps
  }

  /// The layers that a build may still wait for.
  func layers(for account: StatisticsAccount) -> [any CacheLayer] {
    remote.withLock { $0 }.filter { account.admits($0.identifier) }
  }

  /// Whether there is any layer but the local store.
  package var hasOtherLayers: Bool { remote.withLock { !$0.isEmpty } }

  private func fetch(
    _ key: CacheKey, from layers: ArraySlice<any CacheLayer>, for account: StatisticsAccount, on loop: any EventLoop,
    before answers: [LookupStep] = []
  ) -> EventLoopFuture<FetchedEntry?> {
    guard let layer = layers.first else {
      account.answered(key, answers)
      return loop.makeSucceededFuture(nil)
    }
    @Sendable func goOn(behind answer: LayerAnswer) -> EventLoopFuture<FetchedEntry?> {
      let answers = answers + [LookupStep(layer.name, place: layer.place, answer.outcome)]
      guard let fetched = answer.entry else {
        return self.fetch(key, from: layers.dropFirst(), for: account, on: loop, before: answers)
      }
      account.answered(key, answers)
      return loop.makeSucceededFuture(fetched)
    }
    let isSettling = layer.isSettling
    guard isSettling || layer.mayHold(key) else { return goOn(behind: .nothing(layer.reasonNotToAsk(key))) }
    let begin = NIODeadline.now()
    account.beginWait(for: layer.identifier)
    /// - Parameter settling: milliseconds that have passed until the layer knew what it holds.
    @Sendable func end(_ answer: LayerAnswer, settling: Int64) -> EventLoopFuture<FetchedEntry?> {
      account.recordWait(
        for: layer.identifier, milliseconds: Self.milliseconds(since: begin), settling: settling,
        hit: answer.entry.map(Self.hit))
      return goOn(behind: answer)
    }
    @Sendable func ask(settling: Int64) -> EventLoopFuture<FetchedEntry?> {
      fetchOnce(key, from: layer, within: account.patience(for: layer.identifier), on: loop)
        .flatMap { end($0, settling: settling) }
    }
    guard isSettling, let settled = layer.settling(on: loop) else { return ask(settling: 0) }
    return settled.flatMap {
      let settling = Self.milliseconds(since: begin)
      guard layer.mayHold(key) else { return end(.nothing(layer.reasonNotToAsk(key)), settling: settling) }
      return ask(settling: settling)
    }
  }

  private static func milliseconds(since begin: NIODeadline) -> Int64 {
    (NIODeadline.now() - begin).nanoseconds / 1_000_000
  }

  /// Whether a key is being fetched.
  func isFetching(_ key: CacheKey, from layers: [any CacheLayer]) -> Bool {
    flights.withLock { flights in layers.contains { flights[Flight(key: key, layer: $0.identifier)] != nil } }
  }

  /// One request for a key, however many tools ask for it at the same time.
  ///
  /// - Parameters:
  ///   - patience: how long the build may still wait for the beginning of an answer.
  ///   - onArrival: called with what this request gave, before anybody else gets it; not when another request was under
  ///     way.
  func fetchOnce(
    _ key: CacheKey, from layer: any CacheLayer, urgency: FetchUrgency = .tool, within patience: TimeAmount,
    on loop: any EventLoop, onArrival: (@Sendable (FetchedEntry) -> Void)? = nil
  ) -> EventLoopFuture<LayerAnswer> {
    let promise = loop.makePromise(of: LayerAnswer.self)
    let flight = Flight(key: key, layer: layer.identifier)
    let running = flights.withLock { flights in
      guard let running = flights[flight] else {
        flights[flight] = Answer(future: promise.futureResult, urgency: urgency, origin: urgency)
        return nil as Answer?
      }
      if urgency == .tool { flights[flight]?.urgency = .tool }
      return running
    }
    if let running {
      promise.succeed(.nothing(LayerOutcome(.late)))
      guard urgency == .tool, running.origin == .prefetch else { return running.future.hop(to: loop) }
      if running.urgency == .prefetch { layer.expedite(key) }
      return Self.first(of: running.future, within: patience, on: loop)
    }
    layer.fetch(key, urgency: urgency, within: patience, on: loop).whenComplete { result in
      let answer = (try? result.get()) ?? .nothing(LayerOutcome(.failed))
      let fetched = answer.entry
      if let fetched { onArrival?(fetched) }
      // Until it can be found in the store, who asks for it gets this answer, and nobody is told of it.
      let stored = fetched?.stored ?? loop.makeSucceededVoidFuture()
      stored.whenComplete { _ in
        self.end(flight)
        if let fetched { self.report(StoreEvent(key: key, source: fetched.layer)) }
      }
      promise.succeed(answer)
    }
    return promise.futureResult
  }

  /// What was asked for without a tool that waits has no bound that fits one.
  private static func first(
    of answer: EventLoopFuture<LayerAnswer>, within patience: TimeAmount, on loop: any EventLoop
  ) -> EventLoopFuture<LayerAnswer> {
    let promise = loop.makePromise(of: LayerAnswer.self)
    let isGiven = NIOLoopBoundBox(false, eventLoop: loop)
    @Sendable func give(_ answer: LayerAnswer) {
      guard !isGiven.value else { return }
      isGiven.value = true
      promise.succeed(answer)
    }
    let timer = loop.scheduleTask(in: patience) { give(.nothing(LayerOutcome(.late))) }
    answer.hop(to: loop).whenComplete { result in
      timer.cancel()
      give((try? result.get()) ?? .nothing(LayerOutcome(.failed)))
    }
    return promise.futureResult
  }

  private func end(_ flight: Flight) {
    _ = flights.withLock { $0.removeValue(forKey: flight) }
  }

  func report(_ event: StoreEvent) {
    for observer in observers.withLock({ $0 }) { observer.body(event) }
  }

  /// Counts what became of a writer of the local store, and tells of what it has stored.
  package func record(_ outcome: EntryWriter.Outcome, of key: CacheKey, for account: StatisticsAccount?) {
    guard case .stored(let bytes) = outcome else { return }
    account?.recordStored(key, bytes: bytes)
    report(StoreEvent(key: key, excluded: account?.excluded ?? []))
  }
}

extension CacheStore {
  /// What became of an entry that is not there.
  fileprivate func outcome(of key: CacheKey) -> LayerOutcome {
    switch removalCause(of: key) {
    case nil: LayerOutcome(.absent)
    case .evicted: LayerOutcome(.evicted)
    case .damaged: LayerOutcome(.damaged)
    case .replaced: LayerOutcome(.replaced)
    case .removed: LayerOutcome(.removed)
    }
  }
}
