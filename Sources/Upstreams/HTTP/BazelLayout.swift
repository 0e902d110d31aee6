import CacheStore
import Cryptography
import SystemSupport

/// How an object is kept in a cache that was made for Bazel: `/cas/DIGEST` holds bytes under their own SHA-256, and
/// `/ac/KEY`, with a key of 64 digits, an `ActionResult`, both of which such caches check.
/// (Remote Execution API v2, and Bazel's HTTP caching protocol.)
///
/// An object is the standard output of a made-up action: within the `ActionResult` when it is small, which saves a
/// round trip; else in the other place.
enum BazelLayout {
  /// Bytes of an object that goes into the `ActionResult`.
  static let inlineLimit = 1 << 16
  /// More than an `ActionResult` of ours ever has.
  static let resultLimit = inlineLimit + 1024

  /// Where an object's `ActionResult` is, below the cache's URL; nil only if OpenSSL fails.
  static func actionPath(_ name: ObjectName) -> String? {
    OpenSSL.sha256(Array(name.path.utf8)).map { "ac/\(Hex.encode($0))" }
  }

  static func blobPath(_ digest: Digest) -> String { "cas/\(digest)" }

  /// What an `ActionResult` says of the object.
  enum Place: Equatable {
    case inline([UInt8])
    case blob(Digest, size: UInt64)
  }

  // Field numbers of ActionResult and Digest.
  private static let standardOutput: UInt64 = 5
  private static let standardOutputDigest: UInt64 = 6
  private static let hash: UInt64 = 1
  private static let sizeInBytes: UInt64 = 2

  static func encode(_ place: Place) -> [UInt8] {
    switch place {
    case .inline(let bytes): return ProtocolBuffers.field(standardOutput, bytes)
    case .blob(let digest, let size):
      let message =
        ProtocolBuffers.field(hash, Array(digest.description.utf8)) + ProtocolBuffers.field(sizeInBytes, size)
      return ProtocolBuffers.field(standardOutputDigest, message)
    }
  }

  /// nil when it is not an `ActionResult`, or says nothing of an object.
  static func decode(_ bytes: [UInt8]) -> Place? {
    guard let fields = ProtocolBuffers.fields(of: bytes[...]) else { return nil }
    if let inline = fields.one(standardOutput), case .bytes(let bytes) = inline { return .inline(Array(bytes)) }
    guard case .bytes(let message)? = fields.one(standardOutputDigest),
      let digest = ProtocolBuffers.fields(of: message),
      case .bytes(let text)? = digest.one(hash), let hash = Hex.decode(Array(text)), hash.count == Digest.length
    else { return nil }
    guard case .number(let size)? = digest.one(sizeInBytes) else { return .blob(Digest(bytes: hash), size: 0) }
    return .blob(Digest(bytes: hash), size: size)
  }
}
