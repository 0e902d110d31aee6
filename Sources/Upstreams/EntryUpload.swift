import CacheStore
import NIOCore

/// Sends one entry of the local store up.
final class EntryUpload: StoreExchange, @unchecked Sendable {
  /// A body must be taken at this rate, in bytes per second; nobody waits for it.
  private static let leastRate = 10_000.0
  private static let grace = 30.0

  private let key: CacheKey
  private let local: CacheStore
  private let sealingKey: [UInt8]?
  private let onEnd: @Sendable (Outcome) -> Void

  init(
    _ key: CacheKey, of upstream: Upstream, equipment: Equipment, from local: CacheStore,
    onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    self.key = key
    self.local = local
    self.onEnd = onEnd
    sealingKey = equipment.sealingKey
    super.init(
      .put, ObjectName(scope: equipment.scope, key: key), of: upstream, engine: equipment.engine, urgency: .upload)
  }

  /// The store may write to its disk before it answers, and the body has to be sent before that.
  override var patience: Int { 60_000 }

  override func makeBody() -> Body? {
    // Evicted meanwhile, or replaced: what is there now is sent.
    guard let entry = local.lookup(key) else { return nil }
    let record = entry.record
    let envelope = Envelope(key: key, digest: record.digest, size: record.size, duration: record.duration)
    return envelope.head(sealingKey: sealingKey).map { Body(body: SealedEntry(head: $0, entry: entry)) }
  }

  override func complete(_ outcome: Outcome) {
    onEnd(outcome)
  }
}

/// An entry of the local store behind its envelope's head.
final class SealedEntry: UploadBody {
  private let head: [UInt8]
  private let entry: OpenEntry

  init(head: [UInt8], entry: OpenEntry) {
    self.head = head
    self.entry = entry
  }

  var size: UInt64 { UInt64(head.count) + entry.size }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    let boundary = UInt64(head.count)
    if offset < boundary {
      let part = head[Int(offset)...].prefix(buffer.count)
      buffer.copyBytes(from: part)
      return part.count
    }
    let start = offset - boundary
    let count = Int(min(UInt64(buffer.count), entry.size - min(entry.size, start)))
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    if let inline = entry.inlineBody {
      target.copyBytes(from: inline[Int(start)...].prefix(count))
    } else if let blob = entry.blob, count > 0 {
      guard blob.read(at: start, into: target) else { return nil }
    }
    return count
  }
}
