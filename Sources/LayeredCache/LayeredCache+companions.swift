package import CacheStore
package import ControlProtocol
package import NIOCore

/// Entries that no tool asked for by themselves, but that belong to one it asked for.
extension LayeredCache {
  /// Sees to it that the local store has an entry, if any layer has it; false when none has. Not counted as a lookup.
  package func bring(
    _ key: CacheKey, for account: StatisticsAccount, on loop: any EventLoop
  ) -> EventLoopFuture<Bool> {
    if contains(key) { return loop.makeSucceededFuture(true) }
    guard let fetch = fetch(key, for: account, on: loop) else { return loop.makeSucceededFuture(false) }
    return fetch.flatMap { fetched in
      guard let fetched else { return loop.makeSucceededFuture(false) }
      account.noteSource(of: key, fetched)
      let stored = fetched.stored ?? loop.makeSucceededVoidFuture()
      return stored.hop(to: loop).map { self.contains(key) }
    }
  }

  /// An entry of the local store; not counted as a lookup.
  package func find(_ key: CacheKey) -> OpenEntry? {
    local.lookup(key)
  }

  /// The body of an entry of the local store; nil when there is none, or it is larger than `limit` bytes.
  package func body(of key: CacheKey, limit: Int) -> [UInt8]? {
    local.lookup(key).flatMap { Self.body(of: $0, limit: limit) }
  }

  /// An entry's body; nil when it is larger than `limit` bytes, or damaged.
  package static func body(of entry: OpenEntry, limit: Int) -> [UInt8]? {
    guard entry.size <= UInt64(limit) else { return nil }
    if let body = entry.inlineBody { return body }
    var isSound = true
    let body = [UInt8](unsafeUninitializedCapacity: Int(entry.size)) { space, count in
      isSound = entry.readAll(into: UnsafeMutableRawBufferPointer(space))
      count = isSound ? space.count : 0
    }
    return isSound ? body : nil
  }

  /// The size in bytes of an entry of the local store, and the milliseconds it took to make; nil when there is none.
  package func facts(of key: CacheKey) -> (size: UInt64, duration: UInt32?)? {
    local.lookup(key).map { ($0.size, $0.record.duration) }
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
    let writer = makeWriter(key: key, digest: digest)
    body.withUnsafeBytes { writer.write($0) }
    record(writer.commit(duration: nil, mode: .replace), of: key, for: account)
  }
}
