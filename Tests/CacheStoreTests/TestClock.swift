import Synchronization

@testable import CacheStore

/// A clock that tests turn.
final class TestClock: Sendable {
  private let milliseconds: Atomic<UInt64>

  /// Starts an hour from now: files made by the test have the system's time, and are older by that hour.
  init() {
    milliseconds = Atomic(CacheStore.systemTime() + 3_600_000)
  }

  var now: UInt64 { milliseconds.load(ordering: .sequentiallyConsistent) }

  func advance(minutes: UInt64) {
    milliseconds.add(minutes * 60_000, ordering: .sequentiallyConsistent)
  }
}
