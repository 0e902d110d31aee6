import CacheStore
import NIOCore
import Synchronization

/// Keys that a store did not have a moment ago: they are not asked for again so soon.
final class MissMemory: Sendable {
  private static let lifetime = TimeAmount.seconds(60)
  /// Two generations of so many keys: a build of ten thousand files that hits nothing is remembered as a whole.
  private static let generationLimit = 1 << 15

  private struct Generations {
    var young: [CacheKey: Miss] = [:]
    var old: [CacheKey: Miss] = [:]
  }

  private struct Miss {
    let end: NIODeadline
    let reason: Reason
  }

  /// Why it was none.
  enum Reason: Sendable {
    case absent
    /// What was there instead was not the entry.
    case rejected
    case tooLarge
  }

  private let generations = Mutex(Generations())
  private let clock: UpstreamClock

  init(clock: @escaping UpstreamClock) {
    self.clock = clock
  }

  func contains(_ key: CacheKey) -> Bool { reason(for: key) != nil }

  /// nil: the key may be asked for.
  func reason(for key: CacheKey) -> Reason? {
    generations.withLock { generations in
      guard let miss = generations.young[key] ?? generations.old[key], clock() < miss.end else { return nil }
      return miss.reason
    }
  }

  func insert(_ key: CacheKey, _ reason: Reason = .absent) {
    generations.withLock { generations in
      if generations.young.count >= Self.generationLimit {
        generations.old = generations.young
        generations.young = [:]
      }
      generations.young[key] = Miss(end: clock() + Self.lifetime, reason: reason)
    }
  }

  /// The store has it now.
  func remove(_ key: CacheKey) {
    generations.withLock { generations in
      generations.young[key] = nil
      generations.old[key] = nil
    }
  }
}
