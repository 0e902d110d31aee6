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

  /// Namespaces of blobs under their own SHA-256.
  private static let contentAddressed: Set<String> = ["bazel-cas", "swift-cas"]

  /// Whether the key says itself which body it stands for.
  package var isContentAddressed: Bool { Self.contentAddressed.contains(namespace) }

  /// The digest of the only body that the key can stand for; nil when it is none of its own content, or malformed.
  package var contentDigest: Digest? {
    isContentAddressed && bytes.count == Digest.length ? Digest(bytes: bytes) : nil
  }

  /// Whether a body with this digest may be the key's. To be asked wherever one comes from.
  package func admits(_ digest: Digest) -> Bool {
    !isContentAddressed || bytes == digest.bytes
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
