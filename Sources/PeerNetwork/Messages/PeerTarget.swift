package import CacheStore
import SystemSupport

/// What a peer can ask for. There is no listing of names, no write, and no path to any file.
///
///     /v1/status
///     /v1/summary?since={epoch}-{generation}
///     /v1/entries/{namespace}/{hexadecimal key}
package enum PeerTarget: Sendable, Equatable {
  case status
  case summary(since: SummaryGeneration?)
  case entry(CacheKey)

  /// Reads a request's target; nil for anything that this does not write.
  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[0].isEmpty, parts[1] == "v1" else { return nil }
    switch (parts[2], parts.count) {
    case ("status", 3): self = .status
    case ("summary", 3): self = .summary(since: nil)
    case ("entries", 5):
      guard let bytes = Hex.decode(Array(parts[4].utf8)), let key = CacheKey(namespace: String(parts[3]), bytes: bytes)
      else { return nil }
      self = .entry(key)
    case (let query, 3) where query.hasPrefix("summary?since="):
      guard let generation = SummaryGeneration(String(query.dropFirst("summary?since=".count))) else { return nil }
      self = .summary(since: generation)
    default: return nil
    }
  }

  package var text: String {
    switch self {
    case .status: "/v1/status"
    case .summary(nil): "/v1/summary"
    case .summary(let since?): "/v1/summary?since=\(since)"
    case .entry(let key): "/v1/entries/\(key)"
    }
  }
}
