/// What one layer did about one lookup: it gave the entry, or why it gave nothing.
package struct LayerOutcome: Sendable, Hashable {
  /// The names are part of the files and of `fabrik why --json`: they may be added to, never renamed.
  package enum Kind: String, Sendable, CaseIterable {
    /// It gave the entry. Detail: the peer it came from.
    case hit

    // Not asked.

    /// The build does without this layer.
    case excluded
    /// Waiting for it has cost the build more than it gave.
    case exhausted
    /// It cannot be used. Detail: why.
    case unready
    /// It has failed too often, and is left alone for a while. Number: since when, in seconds since 1970. Detail: what is
    /// wrong with it, or the peers that are meant.
    case suspended
    /// It did not have the entry a moment ago. Detail: what was wrong with what it had instead; empty: it had nothing.
    case remembered
    /// No peer is connected that lets this machine fetch. Detail: those that do not, and what they say.
    case alone
    /// No peer holds it, as far as their summaries say. Number: the peers that let this machine fetch. Detail: those that
    /// do not, and what they say.
    case unheld

    // Asked.

    /// It does not have it. Detail: the peer that had said so.
    case absent
    /// Its answer had not come when the build could not wait any longer. Detail: the peer.
    case late
    /// It has it, but does not give it to this machine. Detail: the peer.
    case refused
    /// It cannot answer now. Detail: the peer.
    case busy
    /// What it gave was not the entry. Detail: what was wrong.
    case rejected
    /// Detail: what went wrong.
    case failed

    // The local store had it.

    case evicted
    case damaged
    /// It was being replaced.
    case replaced
    /// A tool or the user has removed it.
    case removed
    /// It was fetched, but could not be stored, or is gone again.
    case unstored
  }

  package var kind: Kind
  package var number: Int
  /// May come from another machine: not fit to be shown.
  package var detail: String

  package init(_ kind: Kind, number: Int = 0, detail: String = "") {
    self.kind = kind
    self.number = number
    self.detail = detail
  }
}

/// What one layer did about a lookup, with the layer's name.
package struct LookupStep: Sendable, Hashable {
  package var layer: CacheLayerName
  /// The upstream's URL; empty for other layers.
  package var place: String
  package var outcome: LayerOutcome

  package init(_ layer: CacheLayerName, place: String = "", _ outcome: LayerOutcome) {
    self.layer = layer
    self.place = place
    self.outcome = outcome
  }
}

extension LookupStep {
  /// The value of a field: four lines, and the detail, which may be empty.
  package var text: String {
    "\(layer.rawValue)\n\(outcome.kind.rawValue)\n\(outcome.number)\n\(place)\n\(outcome.detail)"
  }

  /// nil when it is not what ``text`` gives.
  package init?(text: String) {
    let lines = text.split(separator: "\n", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
    guard lines.count == 5, let layer = CacheLayerName(rawValue: lines[0]),
      let kind = LayerOutcome.Kind(rawValue: lines[1]), let number = Int(lines[2])
    else { return nil }
    self.init(layer, place: lines[3], LayerOutcome(kind, number: number, detail: lines[4]))
  }
}
