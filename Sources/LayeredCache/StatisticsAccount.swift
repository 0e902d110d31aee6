package import BuildRecords
package import CacheStore
package import ControlProtocol
import NIOCore
import Synchronization

/// The counts of one lease, written by all connections of its tools.
package final class StatisticsAccount: Sendable {
  /// Where a hit came from and what it was worth.
  package struct Hit: Sendable {
    package let layer: CacheLayerName
    package let bytes: UInt64
    /// Milliseconds the tool once took; nil when not known.
    package let duration: UInt32?
    /// The peer it came from.
    package let peer: PeerName?

    package init(layer: CacheLayerName, bytes: UInt64, duration: UInt32?, peer: PeerName? = nil) {
      self.layer = layer
      self.bytes = bytes
      self.duration = duration
      self.peer = peer
    }
  }

  private let claimed = Mutex<Set<CacheKey>>([])
  private let statistics = Mutex(LeaseStatistics())
  private let reasonNotToStore = Mutex<String?>(nil)
  private let budgets = Mutex<[LayerIdentifier: LayerBudget]>([:])
  /// Layers that this build does not want.
  package let excluded: Set<CacheLayerName>
  /// nil: not wanted.
  private let journal: Mutex<BuildJournal?>
  /// What was fetched and not asked for yet. Most builds have none: the count saves them the lock.
  private let prefetched = Mutex<[CacheKey: Source]>([:])
  private let prefetchedCount = Atomic<Int>(0)
  private let log = Mutex(LookupLog())

  /// Where an entry came from before it was asked for.
  private struct Source {
    let entry: FetchedEntry
    /// Whether it was fetched for the future, and not because of what a tool had asked for.
    let isAhead: Bool

    /// Without the body, which would be kept as long as the build takes.
    init(_ fetched: FetchedEntry, isAhead: Bool) {
      entry = FetchedEntry(layer: fetched.layer, peer: fetched.peer, size: fetched.size, duration: fetched.duration)
      self.isAhead = isAhead
    }
  }

  /// - Parameter keepsJournal: whether the keys of this build are kept, for the next one's plan.
  package init(excluding excluded: Set<CacheLayerName> = [], keepsJournal: Bool = false) {
    self.excluded = excluded
    journal = Mutex(keepsJournal ? BuildJournal() : nil)
  }

  // MARK: - What is fetched ahead

  /// The keys that the build's tools have got or stored, in the order in which they first did.
  package var journaledKeys: [CacheKey] { journal.withLock { $0?.keys ?? [] } }

  /// Counts an entry that was fetched before a tool has asked for it.
  func recordPrefetched(_ key: CacheKey, _ fetched: FetchedEntry) {
    statistics.withLock {
      $0.prefetched.entries += 1
      $0.prefetched.bytes += Int64(fetched.size)
    }
    keep(Source(fetched, isAhead: true), for: key)
  }

  /// Keeps in mind where an entry came from that was fetched because of another one, until a tool asks for it.
  func noteSource(of key: CacheKey, _ fetched: FetchedEntry) {
    keep(Source(fetched, isAhead: false), for: key)
  }

  private func keep(_ source: Source, for key: CacheKey) {
    prefetched.withLock { prefetched in
      prefetched[key] = source
      prefetchedCount.store(prefetched.count, ordering: .releasing)
    }
  }

  /// What a key that a tool now asks for was fetched as, the first time that one does; nil when it was not. This counts
  /// as its use.
  package func takePrefetched(_ key: CacheKey) -> FetchedEntry? {
    guard prefetchedCount.load(ordering: .acquiring) > 0 else { return nil }
    let source = prefetched.withLock { prefetched in
      defer { prefetchedCount.store(prefetched.count, ordering: .releasing) }
      return prefetched.removeValue(forKey: key)
    }
    if source?.isAhead == true { statistics.withLock { $0.prefetched.used += 1 } }
    return source?.entry
  }

  // MARK: - Waiting

  /// Whether this build may still wait for a layer.
  func admits(_ layer: LayerIdentifier) -> Bool {
    !excluded.contains(layer.name) && budgets.withLock { $0[layer]?.isExhausted != true }
  }

  /// Why a layer was not even asked by this build; nil: it may have been.
  func reasonNotToAsk(_ layer: LayerIdentifier) -> LayerOutcome? {
    if excluded.contains(layer.name) { return LayerOutcome(.excluded) }
    return admits(layer) ? nil : LayerOutcome(.exhausted)
  }

  /// How long a tool of this build may wait for a layer.
  func patience(for layer: LayerIdentifier) -> TimeAmount {
    .milliseconds(max(0, budgets.withLock { $0[layer, default: .init()].rest }))
  }

  /// A tool begins to wait for a layer; ``recordWait(for:milliseconds:settling:hit:)`` must follow.
  func beginWait(for layer: LayerIdentifier) {
    budgets.withLock { $0[layer, default: .init()].beginWait() }
  }

  /// Counts the time a tool waited for a layer.
  ///
  /// - Parameters:
  ///   - milliseconds: how long.
  ///   - settling: how long of it the layer was finding out what it holds. Everything that is asked at the beginning
  ///     waits for the same moment: it says nothing about what the layer is worth.
  ///   - hit: what it got; nil: nothing.
  func recordWait(for layer: LayerIdentifier, milliseconds: Int64, settling: Int64 = 0, hit: Hit?) {
    statistics.withLock { $0.waitedMilliseconds += milliseconds }
    let milliseconds = milliseconds - settling
    budgets.withLock {
      if let hit {
        $0[layer, default: .init()].recordHit(waited: milliseconds, duration: hit.duration, bytes: hit.bytes)
      } else {
        $0[layer, default: .init()].recordMiss(waited: milliseconds)
      }
    }
  }

  // MARK: - Counting

  package var current: LeaseStatistics { statistics.withLock { $0 } }

  /// Counts one lookup; `hit` is nil for a miss.
  package func record(_ key: CacheKey, hit: Hit?) {
    record(key, hit: hit) { $0 }
  }

  /// Counts one lookup; `hit` is nil for a miss.
  ///
  /// - Parameter miss: what is logged of a miss, from the answers of the layers that were asked.
  func record(_ key: CacheKey, hit: Hit?, miss: ([LookupStep]) -> [LookupStep]) {
    record(tool: key.namespace, hit: hit)
    if hit != nil { journal.withLock { $0?.note(key) } }
    guard let hit else {
      let steps = miss(log.withLock { $0.takeAnswers(to: key) })
      return log.withLock { $0.note(key, steps) }
    }
    log.withLock { log in
      let answers = log.takeAnswers(to: key)
      if hit.layer == .local { return log.noteLocalHit(key) }
      // What was fetched ahead was not asked for again.
      let isAnswered = answers.last?.outcome.kind == .hit
      log.note(key, isAnswered ? answers : [LookupStep(hit.layer, LayerOutcome(.hit, detail: hit.peer?.name ?? ""))])
    }
  }

  /// The layers have answered a lookup, which will be recorded when it ends.
  func answered(_ key: CacheKey, _ steps: [LookupStep]) {
    log.withLock { $0.answered(key, steps) }
  }

  /// Puts into a record what the build has asked for so far.
  package func fill(_ record: inout BuildRecord) {
    log.withLock { $0.fill(&record) }
  }

  /// Whether a key has not been claimed before: for tools that look for what they have stored, or got, again and again.
  /// To be asked before a lookup is counted.
  package func claim(_ key: CacheKey) -> Bool {
    claimed.withLock { $0.insert(key).inserted }
  }

  /// Counts one lookup as a miss.
  ///
  /// - Parameter steps: what is logged of it.
  package func recordMiss(_ key: CacheKey, steps: [LookupStep]) {
    record(tool: key.namespace, hit: nil)
    log.withLock { $0.note(key, steps) }
  }

  /// What the layers have answered to a lookup that will not be recorded, or only later; it is forgotten here.
  @discardableResult
  package func takeAnswers(to key: CacheKey) -> [LookupStep] {
    log.withLock { $0.takeAnswers(to: key) }
  }

  /// Keeps in mind, for the next build's plan, what belongs to an entry that this build has got or stored.
  package func journal(_ keys: some Sequence<CacheKey>) {
    journal.withLock { journal in
      for key in keys { journal?.note(key) }
    }
  }

  private func record(tool: String, hit: Hit?) {
    statistics.withLock {
      $0.lookups += 1
      $0.tools[tool, default: .init()].lookups += 1
      if let hit { $0.add(hit, 1, tool: tool) }
    }
  }

  /// Turns a counted hit into a miss.
  ///
  /// - Parameter steps: what is logged of the miss.
  func retractHit(_ key: CacheKey, _ hit: Hit, steps: [LookupStep]) {
    statistics.withLock { $0.add(hit, -1, tool: key.namespace) }
    log.withLock {
      $0.retractHit(key)
      $0.note(key, steps)
    }
  }

  /// Counts what could not be stored, and keeps the first reason.
  func recordUnstored(_ reason: String) {
    statistics.withLock { $0.unstored += 1 }
    reasonNotToStore.withLock { if $0 == nil { $0 = reason } }
  }

  /// What is to be said of what could not be stored; nil: nothing.
  package var storeNotice: String? {
    guard let reason = reasonNotToStore.withLock({ $0 }) else { return nil }
    let count = statistics.withLock(\.unstored)
    return (count == 1 ? "1 result" : "\(count) results") + " could not be stored in the cache: \(reason)"
  }

  package func recordStored(_ key: CacheKey, bytes: UInt64) {
    statistics.withLock {
      $0.stored += 1
      $0.storedBytes += Int64(bytes)
    }
    journal.withLock { $0?.note(key) }
    log.withLock { $0.noteStored(key) }
  }
}

extension LeaseStatistics {
  fileprivate mutating func add(_ hit: StatisticsAccount.Hit, _ sign: Int, tool: String) {
    tools[tool, default: .init()].hits += sign
    hits[hit.layer, default: 0] += sign
    bytes[hit.layer, default: 0] += Int64(sign) * Int64(hit.bytes)
    savedMilliseconds += Int64(sign) * Int64(hit.duration ?? 0)
    guard let peer = hit.peer else { return }
    var count = peers[peer.id] ?? .init(name: peer.name)
    count.hits += sign
    count.bytes += Int64(sign) * Int64(hit.bytes)
    peers[peer.id] = count
  }
}
