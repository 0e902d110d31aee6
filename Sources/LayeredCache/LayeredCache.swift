package import CacheStore
import ControlProtocol

/// What front ends ask: the layers in their order, with every answer counted for the lease that asked.
///
/// A caller sees a hit or a miss, never an error. The local store is asked on the calling thread: an answer from the
/// page cache takes less time than a switch to another thread.
package final class LayeredCache: Sendable {
  private let local: CacheStore

  package init(local: CacheStore) {
    self.local = local
  }

  /// Looks up a key for a tool and counts the answer.
  package func lookup(_ key: CacheKey, for account: StatisticsAccount) -> OpenEntry? {
    let entry = local.lookup(key)
    account.record(tool: key.namespace, hit: entry.map(Self.hit))
    return entry
  }

  private static func hit(_ entry: OpenEntry) -> StatisticsAccount.Hit {
    .init(layer: .local, bytes: entry.size, duration: entry.record.duration)
  }

  /// Changes whenever what was found before may have been removed or replaced.
  package var removals: Int64 { local.removals }

  /// Whether there is an entry, without counting the question as a lookup.
  package func contains(_ key: CacheKey) -> Bool {
    local.lookup(key) != nil
  }

  /// Removes an entry from the local store; false when there is none.
  package func remove(_ key: CacheKey) -> Bool {
    local.remove(key)
  }

  /// Takes back a hit that turned out to be damaged when its body was read.
  package func retract(_ entry: OpenEntry, for account: StatisticsAccount) {
    account.retractHit(tool: entry.record.key.namespace, Self.hit(entry))
  }

  package func makeWriter(key: CacheKey, digest: any DigestComputing) -> EntryWriter {
    local.makeWriter(key: key, digest: digest)
  }

  /// Counts what became of a writer of this cache.
  package func record(_ outcome: EntryWriter.Outcome, for account: StatisticsAccount) {
    if case .stored(let bytes) = outcome { account.recordStored(bytes: bytes) }
  }

  /// Whether the local store has outgrown its limit.
  package var needsCollection: Bool { local.needsCollection }

  /// Whether the local store has lost count of what it holds, so that it would not notice outgrowing its limit.
  package var isUncounted: Bool { local.isUncounted }

  /// Removes what killed writers have left in the local store. Blocks.
  package func removeAbandonedTemporaries() { local.removeAbandonedTemporaries() }

  /// Evicts from the local store until it is within its limit. Blocks; to be called off the event loops.
  package func collect() {
    _ = try? local.collect()
  }
}
