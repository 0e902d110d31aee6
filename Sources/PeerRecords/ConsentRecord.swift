import ControlProtocol

/// What the user said about a peer that wants to fetch from this machine.
package enum Consent: String, Sendable, CaseIterable {
  /// Nobody has answered yet: refused until then.
  case pending
  /// For one session: until the peer has fetched nothing for ten minutes.
  case once
  case always
  case denied
}

/// An answer, or the question, and when it was given.
package struct ConsentRecord: Sendable, Equatable {
  package let consent: Consent
  /// Milliseconds since 1970.
  package let since: UInt64

  package init(consent: Consent, since: UInt64) {
    self.consent = consent
    self.since = since
  }
}

extension ConsentRecord {
  private static let verb = "consent"

  /// The file's one line.
  var line: String {
    let message = ControlMessage(Self.verb, ["answer": consent.rawValue, "since": String(since)])
    return String(decoding: message.encoded, as: UTF8.self)
  }

  /// nil when the text is not what ``line`` makes.
  init?(line: String) {
    guard let message = ControlMessage(line: line.utf8.prefix { $0 != UInt8(ascii: "\n") }), message.verb == Self.verb,
      let consent = message["answer"].flatMap(Consent.init(rawValue:)),
      let since = message["since"].flatMap({ UInt64($0) })
    else { return nil }
    self.init(consent: consent, since: since)
  }
}
