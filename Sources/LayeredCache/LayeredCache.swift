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
  private let observers = StoreObservers()
  let flights: SingleFlight

  package init(local: CacheStore) {
    self.local = local
    flights = SingleFlight(observers: observers)
  }

  /// Adds a layer at its place: behind those that are nearer or as near.
  package func add(_ layer: any CacheLayer) {
    remote.withLock { layers in
      layers.insert(layer, at: layers.firstIndex { $0.name > layer.name } ?? layers.endIndex)
    }
  }

  /// Calls `body` for each entry that is stored from now on.
  package func onStore(_ body: @escaping @Sendable (StoreEvent) -> Void) {
    observers.add(body)
  }

  // MARK: - Other layers

  /// Fetches what the local store does not have; nil when it is not worth asking anybody. The answer comes on `loop`.
  /// What the layers have answered is in the account, until the lookup is recorded.
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
      flights.fetch(key, from: layer, within: account.patience(for: layer.identifier), on: loop)
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

  func report(_ event: StoreEvent) { observers.report(event) }

  /// Counts what became of a writer of the local store, and tells of what it has stored.
  package func record(_ outcome: EntryWriter.Outcome, of key: CacheKey, for account: StatisticsAccount?) {
    if case .notStored(let reason) = outcome { account?.recordUnstored(reason) }
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
