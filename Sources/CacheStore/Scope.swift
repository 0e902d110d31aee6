import SystemSupport

/// The team an entry belongs to. Entries of different scopes never meet, not even under the same key.
package struct Scope: Sendable, Hashable {
  /// Sixteen bytes; all zero for ``private``.
  package let tag: [UInt8]
  /// What the names of the directories with this scope's entries begin with, so that a team's can be listed alone.
  let shardPrefix: [UInt8]

  /// The user's own entries, shared with nobody.
  package static let `private` = Scope(tag: [UInt8](repeating: 0, count: tagLength))

  package static let tagLength = 16

  /// - Parameter tag: ``tagLength`` bytes, derived from the team's secret.
  package init(tag: [UInt8]) {
    precondition(tag.count == Self.tagLength)
    self.tag = tag
    shardPrefix =
      tag.allSatisfy { $0 == 0 } ? [] : Hex.encodeBytes(Array(tag.prefix(8))) + [UInt8(ascii: "-")]
  }
}
