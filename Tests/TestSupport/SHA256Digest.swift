import COpenSSL
package import CacheStore

/// SHA-256 for stores under test.
package final class SHA256Digest: DigestComputing {
  private let context = EVP_MD_CTX_new()

  package init() {
    EVP_DigestInit_ex(context, EVP_sha256(), nil)
  }

  deinit { EVP_MD_CTX_free(context) }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  package func finish() -> Digest? {
    var bytes = [UInt8](repeating: 0, count: Digest.length)
    EVP_DigestFinal_ex(context, &bytes, nil)
    return Digest(bytes: bytes)
  }

  package static func digest(of bytes: [UInt8]) -> Digest {
    let digest = SHA256Digest()
    bytes.withUnsafeBytes { digest.update($0) }
    return digest.finish()!
  }
}
