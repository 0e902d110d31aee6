import COpenSSL
import Cryptography
package import PeerRecords
package import SystemPackage
import SystemSupport

/// This installation's Ed25519 key pair, made once. What a user allows or denies is this key, never a name or an
/// address.
package struct MachineIdentity: Sendable {
  private let seed: [UInt8]
  /// 32 bytes.
  package let publicKey: [UInt8]
  package let identifier: PeerIdentifier

  /// Bytes of a signature.
  static let signatureLength = 64
  static let keyLength = 32

  /// Reads the identity, or makes one and keeps it.
  ///
  /// - Parameter file: 64 hexadecimal digits, readable by this user only.
  /// - Throws: an `Errno`, when it can neither be read nor kept: an identity that is not kept would have to be allowed
  ///   anew each time. ``Damaged``, when the file is there, but no identity is in it.
  package init(file: FilePath) throws {
    // Another process may be making it at the same moment: what is in the file afterwards counts.
    for _ in 0..<2 {
      if let text = SmallFile.read(file), let seed = Hex.decode(Array(text.utf8.prefix(64))), seed.count == 32 {
        try self.init(seed: seed)
        return
      }
      var generator = SystemRandomNumberGenerator()
      let seed = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      try FileSystem.makeDirectories(file.removingLastComponent(), permissions: 0o700)
      try SmallFile.create(file, with: Hex.encode(seed) + "\n")
    }
    _ = try SmallFile.contents(file)
    throw Damaged(file: file)
  }

  /// There is a file, but no identity in it. It is not replaced: whoever allowed this machine would have to do so again.
  package struct Damaged: Error, CustomStringConvertible {
    let file: FilePath

    package var description: String {
      "\(file) does not hold an identity any more; restore it, or remove it for a new one, which peers have to allow anew"
    }
  }

  /// - Parameter seed: 32 random bytes.
  package init(seed: [UInt8]) throws {
    self.seed = seed
    guard let key = Self.privateKey(seed) else { throw OpenSSLFailure("Ed25519") }
    defer { EVP_PKEY_free(key) }
    var bytes = [UInt8](repeating: 0, count: Self.keyLength)
    var length = bytes.count
    guard EVP_PKEY_get_raw_public_key(key, &bytes, &length) == 1, let identifier = PeerIdentifier(publicKey: bytes)
    else { throw OpenSSLFailure("Ed25519") }
    publicKey = bytes
    self.identifier = identifier
  }

  private static func privateKey(_ seed: [UInt8]) -> OpaquePointer? {
    EVP_PKEY_new_raw_private_key_ex(OpenSSL.library, "ED25519", nil, seed, seed.count)
  }

  /// An Ed25519 signature (RFC 8032).
  func sign(_ message: [UInt8]) throws -> [UInt8] {
    let key = Self.privateKey(seed)
    let context = EVP_MD_CTX_new()
    defer {
      EVP_MD_CTX_free(context)
      EVP_PKEY_free(key)
    }
    var signature = [UInt8](repeating: 0, count: Self.signatureLength)
    var length = signature.count
    guard EVP_DigestSignInit_ex(context, nil, nil, OpenSSL.library, nil, key, nil) == 1,
      EVP_DigestSign(context, &signature, &length, message, message.count) == 1
    else { throw OpenSSLFailure("Ed25519") }
    return signature
  }

  static func verify(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool {
    guard signature.count == signatureLength, publicKey.count == keyLength else { return false }
    let key = EVP_PKEY_new_raw_public_key_ex(OpenSSL.library, "ED25519", nil, publicKey, publicKey.count)
    let context = EVP_MD_CTX_new()
    defer {
      EVP_MD_CTX_free(context)
      EVP_PKEY_free(key)
      ERR_clear_error()
    }
    return EVP_DigestVerifyInit_ex(context, nil, nil, OpenSSL.library, nil, key, nil) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

extension PeerIdentifier {
  /// nil only if OpenSSL fails.
  init?(publicKey: [UInt8]) {
    guard let hash = OpenSSL.sha256(publicKey) else { return nil }
    self.init(Hex.encode(Array(hash.prefix(16))))
  }
}
