import BuildRecords
import CacheStore
import Configuration
import ControlProtocol
import PeerRecords
import SystemSupport

/// What became of one key in the last builds, in words.
struct KeyExplanation {
  /// Lookups of one build that went the same way.
  private struct Group {
    let trail: BuildRecord.Trail
    let first: BuildRecord.Lookup
    let count: Int
  }

  private let key: CacheKey
  private let builds: [(build: BuildExplanation, groups: [Group])]
  /// Whether the store seems to have it now.
  let isHeld: Bool
  private let cause: RemovalCause?

  /// - Parameter stores: the same one, for each scope.
  init(key: CacheKey, records: [BuildRecord], stores: [CacheStore]) {
    self.key = key
    isHeld = stores.contains { $0.seemsToHold(key) }
    cause = stores.lazy.compactMap { $0.removalCause(of: key) }.first
    builds = records.map { (BuildExplanation($0), Self.groups(of: key, in: $0)) }.filter { !$0.groups.isEmpty }
  }

  private static func groups(of key: CacheKey, in record: BuildRecord) -> [Group] {
    let lookups = record.lookups.filter { $0.key == key }
    var trails: [Int] = []
    for lookup in lookups where !trails.contains(lookup.trail) { trails.append(lookup.trail) }
    return trails.compactMap { place in
      let same = lookups.filter { $0.trail == place }
      return same.first.map { Group(trail: record.trails[place], first: $0, count: same.count) }
    }
  }

  var lines: [String] {
    var lines = ["\(key)"]
    for (build, groups) in builds {
      lines.append("  \(build.title)")
      for group in groups {
        let times = group.count == 1 ? "" : ", \(group.count) times"
        let after = Duration.milliseconds(group.first.milliseconds).spoken
        lines.append("    \(group.trail.isMiss ? "miss" : "hit") after \(after)\(times)")
        lines += group.trail.steps.map { "      \($0.line)" }
        if group.trail.isMiss {
          lines += group.trail.unused.map { "      \($0)" }
          if group.first.isStored { lines.append("      then      the build has made and stored it") }
          if let advice = group.trail.advice { lines.append("      -> \(advice)") }
        }
      }
    }
    if builds.isEmpty { lines.append("  none of the last builds has asked for it") }
    lines.append("  now: \(now)")
    return lines
  }

  private var now: String {
    if isHeld { return "the local store has it" }
    return switch cause {
    case nil: "the local store does not have it"
    case .evicted: "the local store has evicted it"
    case .damaged: "the local store had it, but damaged"
    case .replaced, .removed: "it was removed from the local store"
    }
  }

  var json: JSONText {
    let builds = builds.map { build, groups -> JSONText in
      let lookups = groups.map { group -> JSONText in
        .object([
          ("hit", .bool(!group.trail.isMiss)), ("count", .integer(group.count)),
          ("after_ms", .integer(group.first.milliseconds)), ("stored", .bool(group.first.isStored)),
          ("steps", .array(group.trail.steps.map(\.json))),
          ("advice", group.trail.advice.map { .string($0) } ?? .null),
        ])
      }
      return .object(build.head + [("of_key", .array(lookups))])
    }
    return .object([
      ("key", .string(key.description)), ("held", .bool(isHeld)), ("builds", .array(builds)),
    ])
  }
}
