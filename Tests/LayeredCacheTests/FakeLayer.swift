import CacheStore
import ControlProtocol
import NIOCore
import NIOEmbedded
import Synchronization
import TestSupport
import Testing

@testable import LayeredCache

/// A layer that holds what it is told to, and answers when it is told to.
final class FakeLayer: CacheLayer {
  private struct State {
    var bodies: [CacheKey: [UInt8]]
    var questions: [CacheKey] = []
    var urgencies: [FetchUrgency] = []
    var expedited: [CacheKey] = []
    var held: [EventLoopPromise<Void>] = []
    var unstored: [Unstored] = []
    /// Where it puts what is fetched.
    var local: CacheStore?
  }

  private struct Unstored {
    let body: @Sendable () -> Void
  }

  let name: CacheLayerName
  let peer: PeerName?
  private let isHolding: Bool
  private let claims: Bool
  private let storesLater: Bool
  private let settled: EventLoopFuture<Void>?
  private let state: Mutex<State>

  /// - Parameters:
  ///   - isHolding: answers wait for ``release()``.
  ///   - claims: whether it says that it may hold whatever it is asked for.
  ///   - storesLater: what is fetched is handed over at once, but stored only at ``store()``.
  ///   - settled: until then it is finding out what it holds.
  init(
    _ name: CacheLayerName, _ bodies: [CacheKey: [UInt8]] = [:], peer: PeerName? = nil, isHolding: Bool = false,
    claims: Bool = false, storesLater: Bool = false, settled: EventLoopFuture<Void>? = nil
  ) {
    self.name = name
    self.peer = peer
    self.isHolding = isHolding
    self.claims = claims
    self.storesLater = storesLater
    self.settled = settled
    state = Mutex(State(bodies: bodies))
  }

  var questions: [CacheKey] { state.withLock { $0.questions } }

  /// Of the questions, in their order.
  var urgencies: [FetchUrgency] { state.withLock { $0.urgencies } }

  var expedited: [CacheKey] { state.withLock { $0.expedited } }

  /// Questions that wait for ``release()``.
  var unanswered: Int { state.withLock { $0.held.count } }

  func expedite(_ key: CacheKey) { state.withLock { $0.expedited.append(key) } }

  func give(_ key: CacheKey, _ body: [UInt8]) { state.withLock { $0.bodies[key] = body } }

  func mayHold(_ key: CacheKey) -> Bool { claims || state.withLock { $0.bodies[key] != nil } }

  func reasonNotToAsk(_ key: CacheKey) -> LayerOutcome { LayerOutcome(name == .peers ? .unheld : .remembered) }

  private let isSettled = Mutex(false)

  func settle() { isSettled.withLock { $0 = true } }

  var isSettling: Bool { settled != nil && !isSettled.withLock { $0 } }

  func settling(on loop: any EventLoop) -> EventLoopFuture<Void>? {
    isSettling ? settled?.hop(to: loop) : nil
  }

  func fetch(
    _ key: CacheKey, urgency: FetchUrgency, within patience: TimeAmount, on loop: any EventLoop
  ) -> EventLoopFuture<LayerAnswer> {
    let gate = loop.makePromise(of: Void.self)
    state.withLock {
      $0.questions.append(key)
      $0.urgencies.append(urgency)
      if isHolding { $0.held.append(gate) } else { gate.succeed() }
    }
    return gate.futureResult.map { [self] in
      let (body, store) = state.withLock { ($0.bodies[key], $0.local) }
      guard let body, let store else { return .nothing(LayerOutcome(.absent)) }
      if storesLater {
        let stored = loop.makePromise(of: Void.self)
        let unstored = Unstored {
          store.put(key, body, duration: 300)
          stored.succeed()
        }
        state.withLock { $0.unstored.append(unstored) }
        return .entry(
          FetchedEntry(
            layer: name, peer: peer, size: UInt64(body.count), duration: 300, body: ByteBuffer(bytes: body),
            stored: stored.futureResult))
      }
      store.put(key, body, duration: 300)
      return .entry(FetchedEntry(layer: name, peer: peer, size: UInt64(body.count), duration: 300))
    }
  }

  fileprivate func use(_ store: CacheStore) { state.withLock { $0.local = store } }

  /// Stores what was fetched.
  func store() {
    let unstored = state.withLock { state in
      defer { state.unstored = [] }
      return state.unstored
    }
    for entry in unstored { entry.body() }
  }

  /// Lets everything that was asked be answered.
  func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for promise in held { promise.succeed() }
  }
}

extension LayeredCache {
  /// Adds a layer that puts what is fetched into this cache's store.
  func add(_ layer: FakeLayer) {
    layer.use(local)
    add(layer as any CacheLayer)
  }
}

extension LayeredCache {
  /// One whole lookup. The layers must answer at once, or on the loop.
  func find(
    _ key: CacheKey, asFile: Bool = false, for account: StatisticsAccount, on loop: EmbeddedEventLoop
  ) throws -> FoundEntry? {
    var result: FoundEntry??
    find(key, asFile: asFile, for: account, on: loop) { result = .some($0) }
    loop.run()
    return try #require(result)
  }
}

extension FoundEntry {
  var entry: OpenEntry? { if case .entry(let entry, _) = self { entry } else { nil } }

  var body: [UInt8]? {
    switch self {
    case .entry(let entry, _): entry.body
    case .body(let body, _): Array(body.readableBytesView)
    }
  }
}
