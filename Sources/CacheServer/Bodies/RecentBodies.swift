import CacheStore
import NIOCore
import Synchronization

/// Small bodies that were sent lately, kept in memory: coworkers and CI jobs that build the same sources ask for the
/// same objects within minutes, and to answer from here takes half the time of opening a file.
///
/// What is in here was checked when it was read. It counts as gone as soon as any process has removed or replaced any
/// entry of the store, and after a while anyway, so that the file's access time is brought up to date.
final class RecentBodies: Sendable {
  struct Item: Sendable {
    let body: ByteBuffer
    /// Milliseconds the tool took to make it.
    let duration: UInt32?
    fileprivate let removals: Int64
    fileprivate let end: NIODeadline
  }

  /// Two generations: when the young one is full, it takes the place of the old one.
  private struct Generations {
    var young: [CacheKey: Item] = [:]
    var old: [CacheKey: Item] = [:]
    var youngBytes = 0
  }

  /// Bytes of bodies per generation. Twice this is a tenth of what one compiler takes.
  private static let generationLimit = 16 << 20
  /// What an item takes besides its body, about.
  private static let itemCost = 512
  /// Larger bodies go out by `sendfile`, which is faster than copying them.
  static let bodyLimit = 1 << 16
  private static let lifetime = TimeAmount.milliseconds(Int64(CacheStore.accessTimeGranularity))

  private let generations = Mutex(Generations())
  private let now: @Sendable () -> NIODeadline

  /// - Parameter now: the clock, for tests.
  init(now: @escaping @Sendable () -> NIODeadline = { .now() }) {
    self.now = now
  }

  /// - Parameter removals: the store's count of now.
  func find(_ key: CacheKey, removals: Int64) -> Item? {
    generations.withLock { generations in
      guard let item = generations.young[key] ?? generations.old[key], item.removals == removals,
        now() < item.end
      else { return nil }
      return item
    }
  }

  func forget(_ key: CacheKey) {
    generations.withLock { generations in
      generations.young[key] = nil
      generations.old[key] = nil
    }
  }

  /// - Parameter removals: the store's count from before the entry was looked up.
  func insert(_ key: CacheKey, body: ByteBuffer, duration: UInt32?, removals: Int64) {
    guard body.readableBytes <= Self.bodyLimit else { return }
    let item = Item(body: body, duration: duration, removals: removals, end: now() + Self.lifetime)
    generations.withLock { generations in
      if generations.youngBytes > Self.generationLimit {
        generations.old = generations.young
        generations.young = [:]
        generations.youngBytes = 0
      }
      generations.youngBytes += body.readableBytes + Self.itemCost
      generations.young[key] = item
    }
  }
}
