import SystemSupport

/// Finds the peer that a user means by a word: a name, an identifier, or the beginning of one.
package struct PeerSelection: Sendable {
  /// A peer as it is shown.
  package struct Candidate: Sendable, Equatable {
    package let identifier: PeerIdentifier
    package let name: String

    package init(identifier: PeerIdentifier, name: String) {
      self.identifier = identifier
      self.name = name
    }
  }

  /// Why no peer was found, as a sentence with the peers that could have been meant.
  package struct Failure: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  private let candidates: [Candidate]

  /// Fewer digits are met by chance.
  private static let leastDigits = 4

  package init(_ candidates: [Candidate]) {
    self.candidates = candidates
  }

  /// A whole identifier is taken as it is, known or not. Anybody may call himself like another peer, or like the
  /// beginning of another's identifier, so a word has to fit one peer alone.
  package func find(_ word: String) throws(Failure) -> PeerIdentifier {
    if let identifier = PeerIdentifier(word) { return identifier }
    let isPrefix = word.utf8.count >= Self.leastDigits
    let found = candidates.filter { candidate in
      candidate.name == word || isPrefix && candidate.identifier.description.hasPrefix(word)
    }
    if found.count == 1 { return found[0].identifier }
    if found.isEmpty {
      let known = candidates.isEmpty ? "no peer is known" : "known are: \(Self.list(candidates))"
      throw Failure(description: "there is no peer '\(DisplayText.clean(word, limit: 64))'; \(known)")
    }
    throw Failure(
      description:
        "'\(DisplayText.clean(word, limit: 64))' may be any of: \(Self.list(found)); give more of the identifier")
  }

  private static func list(_ candidates: [Candidate]) -> String {
    let shown = candidates.prefix(8).map { candidate in
      // As many digits as tell them apart.
      let digits = (8...32).first { count in
        candidates.count { $0.identifier.description.hasPrefix(candidate.identifier.description.prefix(count)) } == 1
      }
      return "\(candidate.name) (\(candidate.identifier.description.prefix(digits ?? 32)))"
    }
    return shown.joined(separator: ", ") + (candidates.count > 8 ? ", …" : "")
  }
}
