import PeerRecords

/// Whether the owner of the answering machine has let the asking one in, as the one tells the other.
enum ConsentField {
  private static let name = "fabrik-consent"

  static func fields(_ verdict: ConsentGate.Verdict) -> [String: String] { [name: verdict.rawValue] }

  /// What is not said, or not understood, is no answer yet.
  static func read(_ head: MessageHead) -> PeerSighting.Answer {
    switch head[name].flatMap(ConsentGate.Verdict.init) {
    case .allowed: .allowed
    case .denied: .denied
    case .pending, nil: .pending
    }
  }
}
