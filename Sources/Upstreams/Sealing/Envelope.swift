import CacheStore
import Cryptography
import SystemSupport

/// What stands before the body of an object in a store: which entry it is, and what its body must be. With a team's
/// secret it is sealed, so that whoever can write to the store, but is not of the team, cannot have a build take
/// anything from there: an object under another's name, an old one under a new key, a changed or cut one.
///
/// Format, little endian: magic `FBS1`; bytes of the head in all (2); flags (1; bit 0: sealed); SHA-256 of the body (32);
/// bytes of the body (8); duration (4, ms, all ones: unknown); namespace (1 + n); key (1 + n); and, when sealed,
/// HMAC-SHA256 (32) under the team's sealing key over all that stands before it.
struct Envelope: Sendable, Equatable {
  let key: CacheKey
  let digest: Digest
  /// Bytes of the body.
  let size: UInt64
  /// Milliseconds that the tool once took to make the body; nil when not known.
  let duration: UInt32?

  /// Why an object is not taken.
  enum Flaw: Error, Sendable, Equatable {
    /// It does not begin as one of ours, or ends too early.
    case foreign
    /// It has no seal, although the team has a secret.
    case unsealed
    /// Its seal is another team's, or it has been changed.
    case wrongSeal
    /// It is another entry's.
    case otherEntry
    /// The body is not the one that was announced.
    case wrongBody
  }

  private static let magic = Array("FBS1".utf8)
  private static let sealedFlag: UInt8 = 1
  private static let sealLength = 32
  private static let unknownDuration = UInt32.max
  /// Magic, length and flags.
  static let prefixLength = 7
  private static let fixedLength = prefixLength + Digest.length + 8 + 4
  /// The most a head takes.
  static let longestHead = fixedLength + 1 + 32 + 1 + 128 + sealLength

  /// The head's bytes.
  ///
  /// - Parameter sealingKey: nil: without a seal.
  func head(sealingKey: [UInt8]?) -> [UInt8]? {
    let names = key.namespace.utf8.count + key.bytes.count + 2
    let length = Self.fixedLength + names + (sealingKey == nil ? 0 : Self.sealLength)
    var head = Self.magic
    head.append(littleEndian: UInt16(length))
    head.append(sealingKey == nil ? 0 : Self.sealedFlag)
    head += digest.bytes
    head.append(littleEndian: size)
    head.append(littleEndian: duration ?? Self.unknownDuration)
    head.append(UInt8(key.namespace.utf8.count))
    head += key.namespace.utf8
    head.append(UInt8(key.bytes.count))
    head += key.bytes
    guard let sealingKey else { return head }
    return OpenSSL.authenticate(head, key: sealingKey).map { head + $0 }
  }

  init(key: CacheKey, digest: Digest, size: UInt64, duration: UInt32?) {
    self.key = key
    self.digest = digest
    self.size = size
    self.duration = duration
  }

  /// Bytes of the head that begins with these ``prefixLength`` bytes.
  static func length(prefix: [UInt8]) throws(Flaw) -> Int {
    guard prefix.count >= prefixLength, prefix.starts(with: magic) else { throw .foreign }
    let length = Int(prefix[4]) | Int(prefix[5]) << 8
    guard (fixedLength + 4...longestHead).contains(length) else { throw .foreign }
    return length
  }

  /// Reads a whole head, and checks it.
  ///
  /// - Parameters:
  ///   - key: the entry that was asked for.
  ///   - sealingKey: nil: there is no secret, and seals are not looked at.
  init(head: [UInt8], of key: CacheKey, sealingKey: [UInt8]?) throws(Flaw) {
    guard try Self.length(prefix: head) == head.count else { throw .foreign }
    let isSealed = head[6] & Self.sealedFlag != 0
    if let sealingKey {
      guard isSealed else { throw .unsealed }
      let (content, seal) = (Array(head.dropLast(Self.sealLength)), Array(head.suffix(Self.sealLength)))
      guard let expected = OpenSSL.authenticate(content, key: sealingKey), OpenSSL.isEqual(expected, seal) else {
        throw .wrongSeal
      }
    }
    var rest = head[Self.prefixLength...].dropLast(isSealed ? Self.sealLength : 0)
    func take(_ count: Int) throws(Flaw) -> [UInt8] {
      guard rest.count >= count else { throw .foreign }
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(Flaw) -> Number {
      try take(MemoryLayout<Number>.size).reversed().reduce(0) { $0 << 8 | Number($1) }
    }
    digest = Digest(bytes: try take(Digest.length))
    size = try number(UInt64.self)
    let duration = try number(UInt32.self)
    self.duration = duration == Self.unknownDuration ? nil : duration
    let namespace = try take(Int(try number(UInt8.self)))
    let bytes = try take(Int(try number(UInt8.self)))
    guard rest.isEmpty else { throw .foreign }
    guard Array(key.namespace.utf8) == namespace, key.bytes == bytes else { throw .otherEntry }
    self.key = key
  }
}
