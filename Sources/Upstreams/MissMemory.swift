import CacheStore
import NIOCore
import Synchronization

/// Keys that a store did not have a moment ago: they are not asked for again so soon.
final class MissMemory: Sendable {
  private static let lifetime = TimeAmount.seconds(60)
  /// Two generations of so many keys: a build of ten thousand files that hits nothing is remembered as a whole.
  private static let generationLimit = 1 << 15

  private struct Generations {
    var young: [CacheKey: NIODeadline] = [:]
    var old: [CacheKey: NIODeadline] = [:]
  }

  private let generations = Mutex(Generations())

  func contains(_ key: CacheKey, now: NIODeadline = .now()) -> Bool {
    generations.withLock { generations in
      guard let end = generations.young[key] ?? generations.old[key] else { return false }
      return now < end
    }
  }

  func insert(_ key: CacheKey, now: NIODeadline = .now()) {
    generations.withLock { generations in
      if generations.young.count >= Self.generationLimit {
        generations.old = generations.young
        generations.young = [:]
      }
      generations.young[key] = now + Self.lifetime
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
