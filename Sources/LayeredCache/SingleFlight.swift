import CacheStore
import ChannelSupport
import ControlProtocol
import NIOCore
import Synchronization

/// One request to a layer for a key, however many ask for it at the same time: they wait for the same answer.
final class SingleFlight: Sendable {
  private struct Flight: Hashable {
    let key: CacheKey
    let layer: LayerIdentifier
  }

  /// What will be answered.
  private struct Answer {
    let future: EventLoopFuture<LayerAnswer>
    /// The most urgent of all who wait.
    var urgency: FetchUrgency
    /// Why it was asked for at first.
    let origin: FetchUrgency
  }

  private let flights = Mutex<[Flight: Answer]>([:])
  private let observers: StoreObservers

  /// - Parameter observers: are told of what has been fetched, when it is in the store.
  init(observers: StoreObservers) {
    self.observers = observers
  }

  /// Whether a key is being fetched from any of these layers.
  func isFetching(_ key: CacheKey, from layers: [any CacheLayer]) -> Bool {
    flights.withLock { flights in layers.contains { flights[Flight(key: key, layer: $0.identifier)] != nil } }
  }

  /// Fetches a key from a layer. The answer comes on `loop`, and is never an error.
  ///
  /// - Parameters:
  ///   - patience: how long the build may still wait for the beginning of an answer.
  ///   - onArrival: called with what this request gave, before anybody else gets it; not when another request was under
  ///     way.
  func fetch(
    _ key: CacheKey, from layer: any CacheLayer, urgency: FetchUrgency = .tool, within patience: TimeAmount,
    on loop: any EventLoop, onArrival: (@Sendable (FetchedEntry) -> Void)? = nil
  ) -> EventLoopFuture<LayerAnswer> {
    let flight = Flight(key: key, layer: layer.identifier)
    switch join(flight, urgency, on: loop) {
    case .first(let promise):
      layer.fetch(key, urgency: urgency, within: patience, on: loop).whenComplete { result in
        let answer = (try? result.get()) ?? .nothing(LayerOutcome(.failed))
        if let fetched = answer.entry { onArrival?(fetched) }
        self.land(flight, answer, on: loop)
        promise.succeed(answer)
      }
      return promise.futureResult
    case .other(let running):
      guard urgency == .tool, running.origin == .prefetch else { return running.future.hop(to: loop) }
      if running.urgency == .prefetch { layer.expedite(key) }
      // What was asked for without a tool that waits has no bound that fits one.
      return running.future.or(.nothing(LayerOutcome(.late)), at: loop.now + patience, on: loop)
    }
  }

  private enum Place {
    /// Nobody has asked. The promise is to be kept.
    case first(EventLoopPromise<LayerAnswer>)
    /// As it was before.
    case other(Answer)
  }

  private func join(_ flight: Flight, _ urgency: FetchUrgency, on loop: any EventLoop) -> Place {
    flights.withLock { flights in
      if let running = flights[flight] {
        if urgency == .tool { flights[flight]?.urgency = .tool }
        return .other(running)
      }
      let promise = loop.makePromise(of: LayerAnswer.self)
      flights[flight] = Answer(future: promise.futureResult, urgency: urgency, origin: urgency)
      return .first(promise)
    }
  }

  /// Until it can be found in the store, who asks for it gets this answer, and nobody is told of it.
  private func land(_ flight: Flight, _ answer: LayerAnswer, on loop: any EventLoop) {
    let fetched = answer.entry
    let stored = fetched?.stored ?? loop.makeSucceededVoidFuture()
    stored.whenComplete { _ in
      _ = self.flights.withLock { $0.removeValue(forKey: flight) }
      if let fetched { self.observers.report(StoreEvent(key: flight.key, source: fetched.layer)) }
    }
  }
}
