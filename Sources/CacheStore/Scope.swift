/// The team an entry belongs to. Entries of different scopes never meet, not even under the same key.
package struct Scope: Sendable, Hashable {
  /// Sixteen bytes; all zero for ``private``.
  package let tag: [UInt8]

  /// The user's own entries, shared with nobody.
  package static let `private` = Scope(tag: [UInt8](repeating: 0, count: tagLength))

  static let tagLength = 16

  init(tag: [UInt8]) {
    precondition(tag.count == Self.tagLength)
    self.tag = tag
  }
}
