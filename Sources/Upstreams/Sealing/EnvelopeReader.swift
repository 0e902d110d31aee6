import CacheStore
import Cryptography
import NIOCore

/// Takes an object in as it arrives: checks its head, hands its body to the store or keeps it when it is small, and
/// checks that.
final class EnvelopeReader {
  private let key: CacheKey
  private let sealingKey: [UInt8]?
  private let store: CacheStore
  private var head: [UInt8] = []
  private(set) var envelope: Envelope?
  private var received: UInt64 = 0
  private var small: [UInt8] = []
  private var writer: EntryWriter?

  /// An object that was whole and right.
  struct Entry {
    let envelope: Envelope
    /// The body, when it is small: it is not stored yet. A large one is.
    let body: ByteBuffer?
  }

  private let bodyLimit: Int

  /// - Parameters:
  ///   - sealingKey: nil: there is no secret.
  ///   - bodyLimit: bytes; bodies up to this size are kept in memory.
  init(key: CacheKey, sealingKey: [UInt8]?, store: CacheStore, bodyLimit: Int) {
    self.key = key
    self.sealingKey = sealingKey
    self.store = store
    self.bodyLimit = bodyLimit
  }

  /// Takes the next bytes. Throws what is wrong with the object; nothing more may follow then.
  func take(_ bytes: UnsafeRawBufferPointer) throws(Envelope.Flaw) {
    var rest = bytes
    if envelope == nil {
      try takeHead(&rest)
      guard envelope != nil else { return }
    }
    takeBody(rest)
    guard let envelope, received <= envelope.size else { throw .wrongBody }
  }

  private func takeHead(_ rest: inout UnsafeRawBufferPointer) throws(Envelope.Flaw) {
    try fill(to: Envelope.prefixLength, from: &rest)
    guard head.count >= Envelope.prefixLength else { return }
    let length = try Envelope.length(prefix: head)
    try fill(to: length, from: &rest)
    guard head.count == length else { return }
    let envelope = try Envelope(head: head, of: key, sealingKey: sealingKey)
    guard key.admits(envelope.digest) else { throw .wrongBody }
    self.envelope = envelope
    if envelope.size > UInt64(bodyLimit) {
      writer = store.makeWriter(key: key, digest: OpenSSLDigest())
    } else {
      small.reserveCapacity(Int(envelope.size))
    }
  }

  private func fill(to length: Int, from rest: inout UnsafeRawBufferPointer) throws(Envelope.Flaw) {
    let count = min(max(0, length - head.count), rest.count)
    head += rest.prefix(count)
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
  }

  private func takeBody(_ bytes: UnsafeRawBufferPointer) {
    received += UInt64(bytes.count)
    if let writer {
      writer.write(bytes)
    } else if received <= UInt64(bodyLimit) {
      small += bytes
    }
  }

  /// The object has ended. A large body is in the store afterwards. nil: it is right, but cannot be stored.
  ///
  /// - Parameter origin: where it came from, for the store's record.
  func finish(origin: String) throws(Envelope.Flaw) -> Entry? {
    guard let envelope else { throw .foreign }
    guard received == envelope.size else { throw .wrongBody }
    guard let writer else {
      let digest = OpenSSLDigest()
      small.withUnsafeBytes { digest.update($0) }
      guard digest.finish() == envelope.digest else { throw .wrongBody }
      return Entry(envelope: envelope, body: ByteBuffer(bytes: small))
    }
    self.writer = nil
    switch writer.commit(duration: envelope.duration, origin: origin, expecting: envelope.digest, mode: .keepFirst) {
    case .stored, .alreadyThere: return Entry(envelope: envelope, body: nil)
    case .mismatch: throw .wrongBody
    case .notStored: return nil
    }
  }
}
