import CacheStore

/// The keys that one build has got or stored, each once, in order. What goes beyond a plan's limit is not kept.
struct BuildJournal: Sendable {
  private(set) var keys: [CacheKey] = []
  private var known: Set<CacheKey> = []

  mutating func note(_ key: CacheKey) {
    guard keys.count < BuildPlan.limit, known.insert(key).inserted else { return }
    keys.append(key)
  }
}
