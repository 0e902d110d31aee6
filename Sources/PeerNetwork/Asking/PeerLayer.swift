package import CacheStore
package import ControlProtocol
package import LayeredCache
package import NIOCore
import Synchronization

/// Layer 0.5: what the peers hold.
package final class PeerLayer: CacheLayer {
  package let name = CacheLayerName.peers

  private let store: CacheStore
  private let index: PeerIndex
  private let directory: NIOLoopBound<PeerDirectory>
  private let own: any EventLoop
  private let settlingFlag: SettlingFlag

  init(
    store: CacheStore, index: PeerIndex, directory: NIOLoopBound<PeerDirectory>, loop: any EventLoop,
    isSettling: SettlingFlag
  ) {
    self.store = store
    self.index = index
    self.directory = directory
    own = loop
    settlingFlag = isSettling
  }

  package func mayHold(_ key: CacheKey) -> Bool {
    index.contains(store.fingerprint(of: key))
  }

  package func reasonNotToAsk(_ key: CacheKey) -> LayerOutcome { index.reason }

  package var isSettling: Bool { settlingFlag.isSet }

  package func settling(on loop: any EventLoop) -> EventLoopFuture<Void>? {
    guard isSettling else { return nil }
    let directory = directory
    return own.flatSubmit { [own] in
      directory.value.settlingFuture ?? own.makeSucceededVoidFuture()
    }.hop(to: loop)
  }

  package func fetch(
    _ key: CacheKey, urgency: FetchUrgency, within patience: TimeAmount, on loop: any EventLoop
  ) -> EventLoopFuture<LayerAnswer> {
    // The tool's connection is on the same loop more often than not.
    if own.inEventLoop { return lookUp(key, urgency).hop(to: loop) }
    return own.flatSubmit { self.lookUp(key, urgency) }.hop(to: loop)
  }

  private func lookUp(_ key: CacheKey, _ urgency: FetchUrgency) -> EventLoopFuture<LayerAnswer> {
    let promise = own.makePromise(of: LayerAnswer.self)
    let candidates = directory.value.candidates(for: store.fingerprint(of: key))
    let lookup = PeerLookup(
      key: key, store: store, urgency: urgency, candidates: candidates, directory: directory.value, promise: promise)
    if urgency == .prefetch { directory.value.ahead[key] = lookup }
    lookup.next()
    return promise.futureResult
  }

  package func expedite(_ key: CacheKey) {
    let directory = directory
    own.execute { directory.value.ahead[key]?.expedite() }
  }
}

/// Whether the peers are still being asked what they hold; read with every lookup.
final class SettlingFlag: Sendable {
  private let value = Atomic<Bool>(true)

  var isSet: Bool { value.load(ordering: .acquiring) }

  func clear() { value.store(false, ordering: .releasing) }
}
