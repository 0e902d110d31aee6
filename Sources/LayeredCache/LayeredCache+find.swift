package import CacheStore
import ControlProtocol
package import NIOCore

/// What a lookup has found.
package enum FoundEntry {
  /// It is in the local store; `from`: what it was fetched as, nil: it was there.
  case entry(OpenEntry, from: FetchedEntry?)
  /// A layer has handed the body over, checked; it is on its way into the store.
  case body(ByteBuffer, FetchedEntry)
}

extension LayeredCache {
  /// One tool's lookup, from its question to its count. To be called on `loop`.
  ///
  /// - Parameters:
  ///   - asFile: whether the tool wants a file, so that a body that is handed over is not enough.
  ///   - completion: called once, on the loop, with nil for a miss; at once when no other layer need be asked.
  package func find(
    _ key: CacheKey, asFile: Bool = false, for account: StatisticsAccount, on loop: any EventLoop,
    completion: @escaping (FoundEntry?) -> Void
  ) {
    let source = account.takePrefetched(key)
    if let entry = local.lookup(key) {
      account.record(key, hit: Self.hit(entry, from: source))
      return completion(.entry(entry, from: source))
    }
    guard let fetch = fetch(key, for: account, on: loop) else {
      recordMiss(key, for: account)
      return completion(nil)
    }
    let answer = asFile ? fetch.flatMap { Self.stored($0, on: loop) } : fetch
    answer.assumeIsolated().whenSuccess { fetched in
      completion(self.finish(key, fetched, isBodyEnough: !asFile, for: account))
    }
  }

  /// What was fetched, when it is in the store.
  private static func stored(_ fetched: FetchedEntry?, on loop: any EventLoop) -> EventLoopFuture<FetchedEntry?> {
    guard let stored = fetched?.stored else { return loop.makeSucceededFuture(fetched) }
    return stored.hop(to: loop).map { fetched }
  }

  /// Counts a lookup that the local store could not answer, and hands out what was fetched.
  func finish(
    _ key: CacheKey, _ fetched: FetchedEntry?, isBodyEnough: Bool, for account: StatisticsAccount
  ) -> FoundEntry? {
    // It may have been fetched ahead at the same time.
    _ = account.takePrefetched(key)
    guard let fetched else {
      recordMiss(key, for: account)
      return nil
    }
    if isBodyEnough, let body = fetched.body {
      account.record(key, hit: Self.hit(fetched))
      return .body(body, fetched)
    }
    guard let entry = local.lookup(key) else {
      recordMiss(key, for: account, isUnstored: true)
      return nil
    }
    account.record(key, hit: Self.hit(entry, from: fetched))
    return .entry(entry, from: fetched)
  }

  /// Counts a lookup as a miss.
  ///
  /// - Parameter isUnstored: whether it was fetched, and could not be stored.
  package func recordMiss(_ key: CacheKey, for account: StatisticsAccount, isUnstored: Bool = false) {
    account.record(key, hit: nil) { answers in
      steps(key, answers: answers, for: account) + (isUnstored ? [LookupStep(.local, LayerOutcome(.unstored))] : [])
    }
  }

  /// Takes back a hit that turned out to be damaged when its body was read.
  package func retract(_ entry: OpenEntry, from source: FetchedEntry?, for account: StatisticsAccount) {
    account.retractHit(
      entry.record.key, Self.hit(entry, from: source),
      steps: steps(entry.record.key, answers: [], for: account))
  }

  private static func hit(_ entry: OpenEntry, from source: FetchedEntry?) -> StatisticsAccount.Hit {
    .init(
      layer: source?.layer ?? .local, bytes: entry.size, duration: entry.record.duration, peer: source?.peer)
  }

  static func hit(_ fetched: FetchedEntry) -> StatisticsAccount.Hit {
    .init(layer: fetched.layer, bytes: fetched.size, duration: fetched.duration, peer: fetched.peer)
  }
}
