import CacheStore
import NIOCore
import NIOPosix
import Synchronization

/// Stores small bodies beside the event loop: the tool has its answer already, and the next question need not wait.
final class BackgroundStoring: Sendable {
  /// Bodies that wait, of at most 64 KiB each; what is beyond them is stored at once.
  private static let limit = 256

  private let pool: NIOThreadPool?
  private let waiting = Atomic<Int>(0)

  /// - Parameter pool: nil: everything is stored at once.
  init(pool: NIOThreadPool?) {
    self.pool = pool
  }

  /// Stores a body whose digest has been checked. A failure only means that it is not stored.
  ///
  /// - Parameter done: kept when that has been tried.
  func store(
    _ body: ByteBuffer, under key: CacheKey, digest: Digest, duration: UInt32?, origin: String, in store: CacheStore,
    done: EventLoopPromise<Void>? = nil
  ) {
    @Sendable func work() {
      body.withUnsafeReadableBytes {
        store.keep($0, under: key, digest: digest, duration: duration, origin: origin)
      }
      done?.succeed()
    }
    guard let pool else { return work() }
    guard waiting.add(1, ordering: .relaxed).newValue <= Self.limit else {
      waiting.subtract(1, ordering: .relaxed)
      return work()
    }
    // Also when the pool is being shut down.
    pool.submit { _ in
      work()
      self.waiting.subtract(1, ordering: .relaxed)
    }
  }
}
