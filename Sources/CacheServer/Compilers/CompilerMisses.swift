import CacheStore
import ControlProtocol
import Synchronization

/// Lookups of compilers that nobody could answer, until it is known whether they count: compilers' scanners ask for
/// many keys that are never stored, which says nothing about the cache.
final class CompilerMisses: Sendable {
  private struct State {
    var steps: [CacheKey: [LookupStep]] = [:]
    /// Most misses have the same reason; they share one array.
    var last: [LookupStep] = []
  }

  private let state = Mutex(State())

  /// A build of ten thousand files asks for fewer. Beyond that, the old ones are not counted.
  private static let limit = 1 << 16

  /// - Parameter steps: why it is a miss.
  func missed(_ key: CacheKey, _ steps: [LookupStep]) {
    state.withLock { state in
      if state.steps.count >= Self.limit { state.steps = [:] }
      if state.last != steps { state.last = steps }
      state.steps[key] = state.last
    }
  }

  /// The key has been built. nil: it was not asked for before, or a hit since.
  func take(_ key: CacheKey) -> [LookupStep]? {
    state.withLock { $0.steps.removeValue(forKey: key) }
  }
}
