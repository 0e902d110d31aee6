import SystemSupport

/// What a build tool asks for: a namespace (the tool's protocol) and opaque bytes.
package struct CacheKey: Sendable, Hashable {
  /// Lower-case letters, digits and dashes, 1–32 characters.
  package let namespace: String
  /// 1–128 bytes.
  package let bytes: [UInt8]

  /// nil when a part is outside its bounds.
  package init?(namespace: String, bytes: some Collection<UInt8>) {
    guard (1...128).contains(bytes.count), Self.isNamespace(namespace.utf8) else { return nil }
    self.namespace = namespace
    self.bytes = Array(bytes)
  }

  private static func isNamespace(_ text: some Collection<UInt8>) -> Bool {
    (1...32).contains(text.count)
      && text.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || $0 == UInt8(ascii: "-")
      }
  }
}

extension CacheKey: CustomStringConvertible {
  /// `namespace/hex`.
  package var description: String { "\(namespace)/\(Hex.encode(bytes))" }
}
