import COpenSSL

/// OpenSSL 3 in a library context of its own: the user's `openssl.cnf` may leave algorithms out.
package enum OpenSSL {
  /// Constant after its creation, and safe to use from all threads.
  package nonisolated(unsafe) static let library = OSSL_LIB_CTX_new()

  /// HMAC-SHA256 (RFC 2104); nil only if OpenSSL lacks it or memory is exhausted.
  package static func authenticate(_ message: [UInt8], key: [UInt8]) -> [UInt8]? {
    var result = [UInt8](repeating: 0, count: 32)
    var length = 0
    let isDone = EVP_Q_mac(
      library, "HMAC", nil, "SHA256", nil, key, key.count, message, message.count, &result, result.count, &length)
    return isDone != nil && length == result.count ? result : nil
  }

  /// Compares in a time that does not depend on where the two differ.
  package static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
  }

  package static func sha256(_ bytes: [UInt8]) -> [UInt8]? {
    var result = [UInt8](repeating: 0, count: 32)
    var length = 0
    guard EVP_Q_digest(library, "SHA256", nil, bytes, bytes.count, &result, &length) == 1 else { return nil }
    return result
  }
}

/// OpenSSL could not do what it always can.
package struct OpenSSLFailure: Error, CustomStringConvertible {
  let operation: String

  package init(_ operation: String) {
    self.operation = operation
    ERR_clear_error()
  }

  package var description: String { "OpenSSL: \(operation) failed" }
}
