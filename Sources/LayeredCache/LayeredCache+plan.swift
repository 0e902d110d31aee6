package import CacheStore
package import ControlProtocol
import NIOCore

extension LayeredCache {
  // MARK: - Plans

  /// The plan that the local store has; what cannot be read is removed.
  func plan(_ key: CacheKey) -> BuildPlan? {
    guard let entry = local.lookup(key) else { return nil }
    if let body = entry.body(upTo: BuildPlan.largestSize), let plan = BuildPlan(bytes: body) { return plan }
    _ = local.remove(key)
    return nil
  }

  /// Keeps the keys that a build has got or stored as the plan of the next one; other machines get it as they get any
  /// entry. Nothing is kept where there are none, nor when the plan there is does as well. Blocks.
  ///
  /// - Parameters:
  ///   - key: of the plan.
  ///   - excluded: layers that the build did without.
  ///   - digest: a new one.
  package func storePlan(
    _ key: CacheKey, of build: [CacheKey], excluding excluded: Set<CacheLayerName> = [], digest: any DigestComputing
  ) {
    guard hasOtherLayers, let plan = BuildPlan(of: build, after: plan(key)) else { return }
    let writer = local.makeWriter(key: key, digest: digest)
    plan.encoded.withUnsafeBytes { writer.write($0) }
    guard case .stored = writer.commit(duration: nil, mode: .replace) else { return }
    report(StoreEvent(key: key, excluded: excluded))
  }

  // MARK: - Fetching ahead

  /// No tool waits; layers have their own bounds.
  private static let aheadPatience = TimeAmount.seconds(30)

  /// When all layers of a build know what they hold; nil: now.
  func settling(for account: StatisticsAccount, on loop: any EventLoop) -> EventLoopFuture<Void>? {
    let settling = layers(for: account).compactMap { $0.settling(on: loop) }
    return settling.isEmpty ? nil : .andAllComplete(settling, on: loop)
  }

  /// What to do about a key that no tool has asked for yet.
  enum Prefetch {
    /// No layer may hold it, as far as is known.
    case unknown
    /// It is here, or on its way.
    case unneeded
    case asked(EventLoopFuture<FetchedEntry?>)
  }

  /// Fetches a key ahead, which is counted. Nobody's waiting is: no tool does.
  func prefetch(_ key: CacheKey, for account: StatisticsAccount, on loop: any EventLoop) -> Prefetch {
    let layers = layers(for: account).filter { $0.mayHold(key) }
    guard !layers.isEmpty else { return .unknown }
    guard !local.seemsToHold(key), !flights.isFetching(key, from: layers) else { return .unneeded }
    return .asked(
      fetch(key, from: layers[...], urgency: .prefetch, on: loop) { account.recordPrefetched(key, $0) })
  }

  /// Fetches a plan, which is not counted; nil when no layer may hold it.
  func fetchPlan(
    _ key: CacheKey, for account: StatisticsAccount, on loop: any EventLoop
  ) -> EventLoopFuture<FetchedEntry?>? {
    let layers = layers(for: account).filter { $0.mayHold(key) }
    return layers.isEmpty ? nil : fetch(key, from: layers[...], urgency: .tool, on: loop) { _ in }
  }

  private func fetch(
    _ key: CacheKey, from layers: ArraySlice<any CacheLayer>, urgency: FetchUrgency, on loop: any EventLoop,
    onArrival: @escaping @Sendable (FetchedEntry) -> Void
  ) -> EventLoopFuture<FetchedEntry?> {
    guard let layer = layers.first else { return loop.makeSucceededFuture(nil) }
    return flights.fetch(
      key, from: layer, urgency: urgency, within: Self.aheadPatience, on: loop, onArrival: onArrival
    ).flatMap { answer in
      if let fetched = answer.entry { return loop.makeSucceededFuture(fetched) }
      return self.fetch(key, from: layers.dropFirst(), urgency: urgency, on: loop, onArrival: onArrival)
    }
  }
}
