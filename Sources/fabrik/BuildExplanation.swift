import BuildRecords
import CacheStore
import Configuration
import ControlProtocol
import Glibc
import PeerRecords
import SystemSupport

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
