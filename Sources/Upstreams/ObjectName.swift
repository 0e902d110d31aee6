import CacheStore
import SystemSupport

/// The name of an entry's object in a store: `SCOPE/NAMESPACE/KEY`, of letters, digits, dashes and slashes alone.
struct ObjectName: Sendable, Hashable {
  /// Objects of different teams in one store have nothing to do with each other: `plain`, or `sealed-` and 16 digits
  /// that only the team can tell.
  let scope: String
  let key: CacheKey

  var path: String { "\(scope)/\(key.namespace)/\(Hex.encode(key.bytes))" }
}
