import BuildRecords
import ControlProtocol
import PeerRecords
import SystemSupport

extension LookupStep {
  var line: String {
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

  var json: JSONText {
    .object([
      ("layer", .string(layer.rawValue)), ("url", place.isEmpty ? .null : .string(place)),
      ("outcome", .string(outcome.kind.rawValue)), ("number", .integer(outcome.number)),
      ("detail", .string(DisplayText.clean(outcome.detail, limit: 300))), ("text", .string(text)),
    ])
  }

  /// What can be done about it, the most telling first; nil: nothing.
  var advice: (rank: Int, text: String)? {
    switch outcome.kind {
    case .unready,
      .suspended where layer > .peers, .failed where layer > .peers:
      (0, "'fabrik doctor' tries the upstreams out")
    case .rejected where layer > .peers:
      (1, "find out who writes to \(place), and whether the team's secret is the same everywhere")
    case .refused,
      .alone where !outcome.detail.isEmpty, .unheld where !outcome.detail.isEmpty:
      (2, "on the other machine, let this one in: fabrik p2p list shows it, fabrik p2p approve lets it in")
    case .evicted: (3, "the cache is too small for what is built: raise cache.max_size")
    case .damaged: (4, "'fabrik cache verify' finds what else is damaged")
    case .excluded: (5, "build without \(layer == .peers ? "--no-peers" : "--no-upstream")")
    case .unstored: (6, "see whether the disk is full, and cache.max_size large enough")
    case .exhausted,
      .late where layer > .peers:
      (7, "'fabrik doctor' shows how long it takes to answer")
    case .alone: (8, "'fabrik p2p status' says whether other machines can be found")
    case .absent where layer == .local:
      (
        9,
        "other sources, options or another directory? results of C with -g, and of Swift, are for one directory"
      )
    default: nil
    }
  }
}

extension BuildRecord.Trail {
  var advice: String? { steps.compactMap(\.advice).min { $0.rank < $1.rank }?.text }

  /// What there was not to ask.
  var unused: [String] {
    (steps.contains { $0.layer == .peers } ? [] : ["peers     off"])
      + (steps.contains { $0.layer > .peers } ? [] : ["upstreams none"])
  }
}
