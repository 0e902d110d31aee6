import SystemSupport

/// Who a machine is, for ever: the first 16 bytes of its public key's SHA-256 digest, as 32 lower-case hexadecimal
/// digits. Consent is given to it, never to a name.
package struct PeerIdentifier: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  /// nil unless the text is 32 digits `0-9a-f`.
  package init?(_ text: String) {
    guard text.utf8.count == 32, Hex.decode(Array(text.utf8)) != nil else { return nil }
    description = text
  }

  /// Enough to tell the machines of a team apart, for people.
  package var short: String { String(description.prefix(8)) }
}
