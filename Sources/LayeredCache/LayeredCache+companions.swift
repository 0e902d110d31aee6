package import CacheStore
package import ControlProtocol
package import NIOCore

/// Entries that no tool asked for by themselves, but that belong to one it asked for.
extension LayeredCache {
  /// Sees to it that the local store has an entry, if any layer has it; false when none has. Not counted as a lookup.
  package func bring(
    _ key: CacheKey, for account: StatisticsAccount, on loop: any EventLoop
  ) -> EventLoopFuture<Bool> {
    if local.contains(key) { return loop.makeSucceededFuture(true) }
    guard let fetch = fetch(key, for: account, on: loop) else { return loop.makeSucceededFuture(false) }
    return fetch.flatMap { fetched in
      guard let fetched else { return loop.makeSucceededFuture(false) }
      account.noteSource(of: key, fetched)
      let stored = fetched.stored ?? loop.makeSucceededVoidFuture()
      return stored.hop(to: loop).map { self.local.contains(key) }
    }
  }

  /// Why nobody gave an entry, for a lookup that may be counted as a miss later:
  /// ``StatisticsAccount/recordMiss(_:steps:)``.
  ///
  /// - Parameter isLate: whether some have not answered in time.
  package func takeMiss(of key: CacheKey, isLate: Bool = false, for account: StatisticsAccount) -> [LookupStep] {
    steps(key, answers: account.takeAnswers(to: key), awaited: isLate ? LayerOutcome(.late) : nil, for: account)
  }

  /// Stores a small body that a tool gave with another one.
  package func put(
    _ body: [UInt8], under key: CacheKey, digest: any DigestComputing, for account: StatisticsAccount?
  ) {
    let writer = local.makeWriter(key: key, digest: digest)
    body.withUnsafeBytes { writer.write($0) }
    record(writer.commit(duration: nil, mode: .replace), of: key, for: account)
  }
}
