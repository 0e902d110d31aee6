import SystemSupport

/// The SHA-256 of a blob, which is also its name.
package struct Digest: Sendable, Hashable {
  /// Thirty-two bytes.
  package let bytes: [UInt8]

  package static let length = 32

  /// - Precondition: there are 32 bytes.
  package init(bytes: [UInt8]) {
    precondition(bytes.count == Self.length)
    self.bytes = bytes
  }
}

extension Digest: CustomStringConvertible {
  /// 64 hexadecimal digits.
  package var description: String { Hex.encode(bytes) }
}

/// Computes a SHA-256 while bytes stream by. The store takes it from outside, so that programs which only read and tidy
/// the store need no cryptographic library.
package protocol DigestComputing: AnyObject {
  func update(_ bytes: UnsafeRawBufferPointer)
  /// Called once, after the last update. nil when it could not be computed.
  func finish() -> Digest?
}
