import CacheStore
import SystemSupport

/// A key as a user writes it.
struct KeyPattern {
  /// nil: any.
  let namespace: String?
  /// Lower-case.
  let digits: String

  /// nil: it can be no key's.
  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let digits = parts.last?.lowercased(), !digits.isEmpty,
      digits.utf8.count <= 256,
      digits.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
    else { return nil }
    self.digits = digits
    namespace = parts.count == 2 ? String(parts[0]) : nil
  }

  func matches(_ key: CacheKey) -> Bool {
    (namespace ?? key.namespace) == key.namespace && Hex.encodeBytes(key.bytes).starts(with: digits.utf8)
  }

  /// The keys it may be when it is a whole one.
  func candidates(namespaces: Set<String>) -> [CacheKey] {
    guard let bytes = Hex.decode(Array(digits.utf8)) else { return [] }
    return (namespace.map { [$0] } ?? namespaces.union(["ccache"]).sorted())
      .compactMap { CacheKey(namespace: $0, bytes: bytes) }
  }
}
