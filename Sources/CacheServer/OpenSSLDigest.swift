import COpenSSL
import CacheStore

/// SHA-256 by OpenSSL 3.
final class OpenSSLDigest: DigestComputing {
  /// Fetched once: looking an algorithm up by name costs more than hashing a small object. It is constant afterwards.
  private nonisolated(unsafe) static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

  private let context = EVP_MD_CTX_new()

  init() {
    EVP_DigestInit_ex2(context, Self.algorithm, nil)
  }

  deinit { EVP_MD_CTX_free(context) }

  func update(_ bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  func finish() -> Digest {
    var bytes = [UInt8](repeating: 0, count: Digest.length)
    EVP_DigestFinal_ex(context, &bytes, nil)
    return Digest(bytes: bytes)
  }
}
