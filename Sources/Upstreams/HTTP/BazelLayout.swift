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
    case .inline(let bytes): return field(standardOutput, bytes)
    case .blob(let digest, let size):
      let message = field(hash, Array(digest.description.utf8)) + varint(sizeInBytes << 3) + varint(size)
      return field(standardOutputDigest, message)
    }
  }

  /// nil when it is not an `ActionResult`, or says nothing of an object.
  static func decode(_ bytes: [UInt8]) -> Place? {
    guard let fields = fields(of: bytes[...]) else { return nil }
    if let inline = fields[standardOutput], case .bytes(let bytes) = inline { return .inline(Array(bytes)) }
    guard case .bytes(let message)? = fields[standardOutputDigest], let digest = Self.fields(of: message),
      case .bytes(let text)? = digest[hash], let hash = Hex.decode(Array(text)), hash.count == Digest.length
    else { return nil }
    guard case .number(let size)? = digest[sizeInBytes] else { return .blob(Digest(bytes: hash), size: 0) }
    return .blob(Digest(bytes: hash), size: size)
  }

  // MARK: - Protocol Buffers' wire format

  private enum Value {
    case number(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  private static func takeVarint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, through: 63, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }

  /// The fields of a message; of one that occurs twice, the last. nil when it is malformed.
  private static func fields(of message: ArraySlice<UInt8>) -> [UInt64: Value]? {
    var rest = message
    var fields: [UInt64: Value] = [:]
    while !rest.isEmpty {
      guard let tag = takeVarint(&rest) else { return nil }
      switch tag & 7 {
      case 0:
        guard let number = takeVarint(&rest) else { return nil }
        fields[tag >> 3] = .number(number)
      case 2:
        guard let count = takeVarint(&rest), count <= rest.count else { return nil }
        fields[tag >> 3] = .bytes(rest.prefix(Int(count)))
        rest = rest.dropFirst(Int(count))
      case 1, 5:
        let count = tag & 7 == 1 ? 8 : 4
        guard rest.count >= count else { return nil }
        rest = rest.dropFirst(count)
      default: return nil
      }
    }
    return fields
  }
}
