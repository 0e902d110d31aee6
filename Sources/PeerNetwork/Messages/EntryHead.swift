import CacheStore
import SystemSupport

/// What is said of an entry before its body.
struct EntryHead: Sendable, Equatable {
  let digest: Digest
  /// Bytes of the body.
  let size: UInt64
  /// How long the tool took to make it, in milliseconds; nil when that is not known.
  let duration: UInt32?

  private static let digestField = "fabrik-digest"
  private static let durationField = "fabrik-duration-ms"

  init(_ entry: OpenEntry) {
    digest = entry.record.digest
    size = entry.size
    duration = entry.record.duration
  }

  /// Reads an answer of ``PeerStatus/ok``; nil when it does not say what the digest is.
  init?(_ head: MessageHead) {
    guard let bytes = head[Self.digestField].flatMap({ Hex.decode(Array($0.utf8)) }), bytes.count == Digest.length
    else {
      return nil
    }
    digest = Digest(bytes: bytes)
    size = head.contentLength
    duration = head[Self.durationField].flatMap { UInt32($0) }
  }

  var message: MessageHead {
    var fields = [Self.digestField: digest.description]
    if let duration { fields[Self.durationField] = String(duration) }
    return .answer(.ok, length: size, fields)
  }
}
