import COpenSSL
package import CacheStore

/// SHA-256 by OpenSSL 3.
package final class OpenSSLDigest: DigestComputing {
  /// Fetched once: looking an algorithm up by name costs more than hashing a small object. It is constant afterwards.
  private nonisolated(unsafe) static let algorithm = EVP_MD_fetch(OpenSSL.library, "SHA256", nil)

  /// Whether OpenSSL has SHA-256. Without it nothing can be stored, and no server should start.
  package static var isAvailable: Bool { algorithm != nil }

  private let context = EVP_MD_CTX_new()
  private var isSound: Bool

  package init() {
    isSound = EVP_DigestInit_ex2(context, Self.algorithm, nil) == 1
  }

  deinit { EVP_MD_CTX_free(context) }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    isSound = isSound && EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
  }

  package func finish() -> Digest? {
    var bytes = [UInt8](repeating: 0, count: Digest.length)
    guard isSound, EVP_DigestFinal_ex(context, &bytes, nil) == 1 else { return nil }
    return Digest(bytes: bytes)
  }
}
