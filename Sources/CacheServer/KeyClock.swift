import CacheStore
import NIOCore
import Synchronization

/// Tells how long a tool took to make what it stores: the time from the miss of a key to its put. For tools whose
/// connections are shared by all of their jobs; see ``ConnectionClock`` for the others.
final class KeyClock: Sendable {
  private let misses = Mutex<[CacheKey: NIODeadline]>([:])

  /// More than a build of Go's standard library and its dependants misses. What is older was not stored, and is
  /// forgotten.
  private static let limit = 100_000

  func missed(_ key: CacheKey, now: NIODeadline = .now()) {
    misses.withLock { misses in
      if misses.count >= Self.limit { misses = [:] }
      // The last one: what failed an hour ago did not take an hour.
      misses[key] = now
    }
  }

  /// Milliseconds; nil when there was no miss before.
  func takeDuration(of key: CacheKey, now: NIODeadline = .now()) -> UInt32? {
    misses.withLock { $0.removeValue(forKey: key) }.map {
      UInt32(clamping: (now - $0).nanoseconds / 1_000_000)
    }
  }
}
