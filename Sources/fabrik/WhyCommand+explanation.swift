import BuildRecords
import CacheStore
import Configuration
import ControlProtocol
import PeerRecords
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What became of the lookups of one build, in words.
struct BuildExplanation {
  /// Keys of a reason that are shown to people.
  private static let mostExamples = 3

  let record: BuildRecord

  init(_ record: BuildRecord) {
    self.record = record
  }

  var command: String { DisplayText.clean(record.command, limit: 200) }
  var directory: String { DisplayText.clean(record.directory, limit: 1024) }

  private enum State: String {
    case running, ended
    /// The server has died, or was told to end at once.
    case lost
  }

  private var state: State {
    if record.end != nil { return .ended }
    return kill(record.process, 0) == 0 || errno == EPERM ? .running : .lost
  }

  /// When it began, in local time.
  var when: String { Self.text(of: record.begin) }

  static func text(of milliseconds: UInt64) -> String {
    var seconds = time_t(milliseconds / 1000)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S", &parts)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  var title: String {
    let remark =
      switch state {
      case .running: ", running"
      case .ended: ""
      case .lost: ", not followed to its end"
      }
    return "\(when)\(remark)  \(command)  (in \(directory))"
  }

  /// The misses by their reasons, the most frequent first.
  private var reasons: [(trail: BuildRecord.Trail, keys: [CacheKey])] {
    record.trails.enumerated().filter { $0.element.isMiss && $0.element.count > 0 }
      .sorted { ($0.element.count, $1.offset) > ($1.element.count, $0.offset) }
      .map { place, trail in (trail, Self.unique(record.lookups.filter { $0.trail == place }.map(\.key))) }
  }

  private static func unique(_ keys: [CacheKey]) -> [CacheKey] {
    var known: Set<CacheKey> = []
    return keys.filter { known.insert($0).inserted }
  }

  private static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
    "\(number) \(number == 1 ? one : many ?? one + "s")"
  }

  var lines: [String] {
    let hits = record.lookupCount - record.misses
    var lines = [
      title,
      "\(Self.count(record.lookupCount, "lookup")), \(Self.count(hits, "hit")), \(Self.count(record.misses, "miss", "misses"))",
    ]
    for (trail, keys) in reasons {
      lines += ["", "\(Self.count(trail.count, "miss", "misses")):"]
      lines += trail.steps.map { "  \($0.line)" }
      if let advice = trail.advice { lines.append("  -> \(advice)") }
      for key in keys.prefix(Self.mostExamples) { lines.append("  \(key)") }
      if keys.count > Self.mostExamples { lines.append("  and \(keys.count - Self.mostExamples) more") }
    }
    if let key = reasons.first?.keys.first { lines += ["", "more about one of them: fabrik why \(key)"] }
    return lines
  }

  var head: [(String, JSONText)] {
    [
      ("begin_ms", .integer(record.begin)), ("end_ms", record.end.map { .integer($0) } ?? .null),
      ("state", .string(state.rawValue)), ("command", .string(command)), ("directory", .string(directory)),
      ("lookups", .integer(record.lookupCount)), ("hits", .integer(record.lookupCount - record.misses)),
      ("misses", .integer(record.misses)),
    ]
  }

  var json: JSONText {
    let reasons = reasons.map { trail, keys -> JSONText in
      .object([
        ("count", .integer(trail.count)), ("steps", .array(trail.steps.map(\.json))),
        ("advice", trail.advice.map { .string($0) } ?? .null),
        ("keys", .array(keys.map { .string($0.description) })),
      ])
    }
    return .object(head + [("reasons", .array(reasons))])
  }
}

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

extension LookupStep {
  fileprivate var line: String {
    let name = layer.rawValue + String(repeating: " ", count: max(1, 10 - layer.rawValue.count))
    return name + (place.isEmpty ? "" : "\(DisplayText.clean(place, limit: 200)): ") + text
  }

  private var text: String {
    let detail = DisplayText.clean(outcome.detail, limit: 300)
    let who = detail.isEmpty ? layer == .peers ? "a peer" : "it" : detail
    return switch outcome.kind {
    case .hit: detail.isEmpty ? "has it" : "\(detail) has it"
    case .excluded: "not asked: the build was to do without (\(layer == .peers ? "--no-peers" : "--no-upstream"))"
    case .exhausted: "not asked: this build has waited for it for longer than it was worth"
    case .unready: "not asked: \(detail)"
    case .suspended where layer == .peers: "not asked: \(who) has it, but has not answered well lately"
    case .suspended:
      "not asked since \(BuildExplanation.text(of: UInt64(clamping: outcome.number) * 1000)): it \(detail)"
    case .remembered: "not asked: \(detail.isEmpty ? "it did not have it" : detail), less than a minute before"
    case .alone: detail.isEmpty ? "no peer is connected" : "no peer lets this machine fetch (\(detail))"
    case .unheld:
      (outcome.number == 1 ? "1 peer, which does not have it" : "\(outcome.number) peers, none has it")
        + (detail.isEmpty ? "" : " (do not let this machine fetch: \(detail))")
    case .absent where layer == .local: "does not have it"
    case .absent: layer == .peers ? "\(who) does not have it any more" : "does not have it"
    case .late: "\(layer == .peers ? who : "it") was asked, but its answer came too late"
    case .refused: "\(who) has it, but does not let this machine fetch"
    case .busy: "\(who) has it, but was too busy"
    case .rejected:
      layer == .peers ? "\(who) sent something else, which was rejected" : "what it has was rejected: \(detail)"
    case .failed:
      layer == .peers
        ? "\(who) was asked, but the connection failed" : "it was asked, and \(detail.isEmpty ? "broke off" : detail)"
    case .evicted: "had it, and has evicted it to make room"
    case .damaged: "had it, but damaged, and has removed it"
    case .replaced: "had it, and it was just being replaced"
    case .removed: "had it; a tool or 'fabrik cache clear' has removed it"
    case .unstored: "could not store what was fetched"
    }
  }

  fileprivate var json: JSONText {
    .object([
      ("layer", .string(layer.rawValue)), ("url", place.isEmpty ? .null : .string(place)),
      ("outcome", .string(outcome.kind.rawValue)), ("number", .integer(outcome.number)),
      ("detail", .string(DisplayText.clean(outcome.detail, limit: 300))), ("text", .string(text)),
    ])
  }

  /// What can be done about it, the most telling first; nil: nothing.
  fileprivate var advice: (rank: Int, text: String)? {
    switch outcome.kind {
    case .unready,
      .suspended where layer > .peers, .failed where layer > .peers:
      (0, "'fabrik doctor' tries the upstreams out")
    case .rejected where layer > .peers:
      (1, "find out who writes to \(place), and whether the team's secret is the same everywhere")
    case .refused,
      .alone where !outcome.detail.isEmpty, .unheld where !outcome.detail.isEmpty:
      (2, "on the other machine, let this one in: fabrik p2p pending")
    case .evicted: (3, "the cache is too small for what is built: raise cache.max_size")
    case .damaged: (4, "'fabrik cache verify' finds what else is damaged")
    case .excluded: (5, "build without \(layer == .peers ? "--no-peers" : "--no-upstream")")
    case .unstored: (6, "see whether the disk is full, and cache.max_size large enough")
    case .exhausted,
      .late where layer > .peers:
      (7, "'fabrik doctor' shows how long it takes to answer")
    case .alone: (8, "'fabrik p2p status' says whether other machines can be found")
    default: nil
    }
  }
}

extension BuildRecord.Trail {
  fileprivate var advice: String? { steps.compactMap(\.advice).min { $0.rank < $1.rank }?.text }

  /// What there was not to ask.
  fileprivate var unused: [String] {
    (steps.contains { $0.layer == .peers } ? [] : ["peers     off"])
      + (steps.contains { $0.layer > .peers } ? [] : ["upstreams none"])
  }
}
