import CStoreSupport
import Glibc
import SystemSupport

/// What the store knows of one entry; the content of an entry's file.
///
/// Format, little endian: magic `FBE1`; XXH3-64 of all that follows (8 bytes); digest (32); size (8); XXH3-128 of the
/// body (low 8, high 8); created (8, ms since 1970); duration (4, ms, all ones: unknown); scope (16); origin (1 + n);
/// namespace (1 + n); key (1 + n); flag (1); and, when the flag is 1, the body itself.
package struct EntryRecord: Sendable, Equatable {
  package var key: CacheKey
  package var scope: Scope
  package var digest: Digest
  /// Bytes.
  package var size: UInt64
  package var checksum: Checksum
  /// Milliseconds since 1970.
  package var created: UInt64
  /// How long the tool took to make it, in milliseconds; nil when not known.
  package var duration: UInt32?
  /// Empty: this machine. Otherwise the peer or upstream it came from, cut at 255 bytes.
  package private(set) var origin: String
  /// The body, when it is small enough to lie in the entry's own file.
  var inlineBody: [UInt8]?

  /// A file takes up whole blocks of 4 KiB, so a body that fits behind its record in one block costs no disk at all,
  /// and saves the second file.
  static let inlineFileSize = 4096

  /// Whether a body of this size goes into the entry's file.
  static func isInline(size: Int, headSize: Int) -> Bool {
    headSize + size <= inlineFileSize
  }

  private static let magic = Array("FBE1".utf8)
  /// Bytes of the magic, and of the checksum behind it.
  private static let prefixLength = magic.count + 8
  private static let unknownDuration = UInt32.max

  /// Size of the encoded record without its body.
  var headSize: Int {
    Self.prefixLength + Digest.length + 8 + 16 + 8 + 4 + Scope.tagLength + 1 + origin.utf8.count + 1
      + key.namespace.utf8.count + 1
      + key.bytes.count + 1
  }

  var encoded: [UInt8] {
    var payload: [UInt8] = []
    payload.reserveCapacity(Self.inlineFileSize)
    payload += digest.bytes
    payload.append(littleEndian: size)
    payload.append(littleEndian: checksum.low)
    payload.append(littleEndian: checksum.high)
    payload.append(littleEndian: created)
    payload.append(littleEndian: duration ?? Self.unknownDuration)
    payload += scope.tag
    payload.append(counted: origin.utf8)
    payload.append(counted: key.namespace.utf8)
    payload.append(counted: key.bytes)
    payload.append(inlineBody == nil ? 0 : 1)
    if let inlineBody { payload += inlineBody }
    var file = Self.magic
    file.append(littleEndian: payload.withUnsafeBytes { fabrik_xxh3_64($0.baseAddress, $0.count) })
    return file + payload
  }

  /// nil when the bytes are not a whole, undamaged record.
  init?(file: UnsafeRawBufferPointer) {
    guard file.count > Self.prefixLength, file.starts(with: Self.magic) else { return nil }
    let payload = UnsafeRawBufferPointer(rebasing: file[Self.prefixLength...])
    let sum = UInt64(littleEndian: file.loadUnaligned(fromByteOffset: Self.magic.count, as: UInt64.self))
    guard fabrik_xxh3_64(payload.baseAddress, payload.count) == sum else { return nil }
    var reader = RecordReader(bytes: payload)
    guard let digest = reader.take(Digest.length), let size = reader.integer(UInt64.self),
      let low = reader.integer(UInt64.self), let high = reader.integer(UInt64.self),
      let created = reader.integer(UInt64.self), let duration = reader.integer(UInt32.self),
      let scope = reader.take(Scope.tagLength), let origin = reader.counted(), let namespace = reader.counted(),
      let keyBytes = reader.counted(), let flag = reader.integer(UInt8.self),
      let key = CacheKey(namespace: String(decoding: namespace, as: UTF8.self), bytes: keyBytes)
    else { return nil }
    self.key = key
    self.scope = Scope(tag: Array(scope))
    self.digest = Digest(bytes: Array(digest))
    self.size = size
    checksum = Checksum(low: low, high: high)
    self.created = created
    self.duration = duration == Self.unknownDuration ? nil : duration
    self.origin = String(decoding: origin, as: UTF8.self)
    inlineBody = flag == 1 ? Array(reader.rest) : nil
    if flag == 1, reader.rest.count != size { return nil }
  }

  /// Reads the record at the beginning of an open entry file; nil when it is damaged.
  init?(descriptor: CInt) {
    // One byte more than there can be, so that a file that something was appended to does not look whole.
    let limit = Self.inlineFileSize + 1
    let record: EntryRecord? = withUnsafeTemporaryAllocation(byteCount: limit, alignment: 8) { buffer in
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      return count > 0 ? EntryRecord(file: UnsafeRawBufferPointer(rebasing: buffer[..<count])) : nil
    }
    guard let record else { return nil }
    self = record
  }

  /// Whether the body in the entry's own file matches its checksum. True when there is none.
  var isInlineBodySound: Bool {
    inlineBody?.withUnsafeBytes { Checksum(of: $0) == checksum } ?? true
  }

  init(
    key: CacheKey, scope: Scope, digest: Digest, size: UInt64, checksum: Checksum, created: UInt64, duration: UInt32?,
    origin: String, inlineBody: [UInt8]?
  ) {
    self.key = key
    self.scope = scope
    self.digest = digest
    self.size = size
    self.checksum = checksum
    self.created = created
    self.duration = duration
    self.origin = Self.cut(origin)
    self.inlineBody = inlineBody
  }

  /// As much of a text as a counted string of the format holds.
  private static func cut(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var size = 0
    for scalar in text.unicodeScalars {
      size += UTF8.width(scalar)
      if size > 255 { break }
      result.append(scalar)
    }
    return String(result)
  }
}

private struct RecordReader {
  let bytes: UnsafeRawBufferPointer
  var offset = 0

  var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[offset...]) }

  mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
    guard bytes.count - offset >= count else { return nil }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
    take(MemoryLayout<Number>.size).map { Number(littleEndian: $0.loadUnaligned(as: type)) }
  }

  mutating func counted() -> UnsafeRawBufferPointer? {
    integer(UInt8.self).flatMap { take(Int($0)) }
  }
}

extension [UInt8] {
  fileprivate mutating func append(counted bytes: some Collection<UInt8>) {
    append(UInt8(bytes.count))
    append(contentsOf: bytes)
  }
}
