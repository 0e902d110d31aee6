import CacheStore
import Cryptography
import NIOCore
import NIOPosix

/// Sends one entry of the local store up.
final class EntryUpload: StoreExchange, @unchecked Sendable {
  /// A body must be taken at this rate, in bytes per second; nobody waits for it.
  private static let leastRate = 10_000.0
  private static let grace = 30.0

  private enum Preparation {
    case none
    /// There is nothing to send any more.
    case gone
    /// The digest of one that does not go into an `ActionResult`.
    case ready(SealedEntry, Digest?)
  }

  private let key: CacheKey
  private let local: CacheStore
  private let pool: NIOThreadPool
  private let sealingKey: [UInt8]?
  private let onEnd: @Sendable (Outcome) -> Void
  /// Of an object for a Bazel cache; written before the engine is given anything to do.
  private var preparation = Preparation.none
  /// Where the object has been put, of which the `ActionResult` is still to tell; nil: the object itself is next.
  private var place: BazelLayout.Place?

  init(
    _ key: CacheKey, of upstream: Upstream, equipment: Equipment, from local: CacheStore,
    pool: NIOThreadPool = .singleton, onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    self.key = key
    self.local = local
    self.pool = pool
    self.onEnd = onEnd
    sealingKey = equipment.sealingKey
    super.init(
      .put, ObjectName(scope: equipment.scope, key: key), of: upstream, engine: equipment.engine, urgency: .upload)
  }

  /// The store may write to its disk before it answers.
  override var patience: Int { 60_000 }

  override func isTooSlow(sent: UInt64, since begin: NIODeadline) -> Bool {
    let seconds = Double((NIODeadline.now() - begin).nanoseconds) / 1e9
    return seconds > Self.grace + Double(sent) / Self.leastRate
  }

  /// A large object's digest is in its URL: it is computed before the object's turn comes, and beside the engine's thread,
  /// on which lookups wait for their answers meanwhile. Once: neither a refusal nor what is sent next changes it.
  override func start() {
    guard upstream.store.isBazel, case .none = preparation else { return super.start() }
    pool.submit { _ in
      self.preparation = self.prepare()
      self.engineStart()
    }
  }

  private func engineStart() { super.start() }

  private func prepare() -> Preparation {
    guard let object = openObject() else { return .gone }
    if object.size <= UInt64(BazelLayout.inlineLimit) { return .ready(object, nil) }
    return object.digest.map { .ready(object, $0) } ?? .gone
  }

  private func openObject() -> SealedEntry? {
    // Evicted meanwhile, or replaced: what is there now is sent.
    guard let entry = local.lookup(key) else { return nil }
    let record = entry.record
    let envelope = Envelope(key: key, digest: record.digest, size: record.size, duration: record.duration)
    return envelope.head(sealingKey: sealingKey).map { SealedEntry(head: $0, entry: entry) }
  }

  override func makeBody() -> Body? {
    switch preparation {
    case .none: openObject().map { Body(body: $0) }
    case .gone: nil
    case .ready(let object, let digest): bazelBody(object, digest)
    }
  }

  /// Small objects go into the `ActionResult`. Of others the bytes go first: a result that names what is not there is
  /// refused.
  private func bazelBody(_ object: SealedEntry, _ digest: Digest?) -> Body? {
    if let place, !isResultNext { return Body(body: MemoryBody(BazelLayout.encode(place))) }
    guard let digest else { return object.bytes.map { Body(body: MemoryBody(BazelLayout.encode(.inline($0)))) } }
    guard let url = upstream.store.blobURL(digest) else { return nil }
    place = .blob(digest, size: object.size)
    isResultNext = true
    target = url
    return Body(body: object)
  }

  /// Whether the request under way is for the blob, after which the `ActionResult` follows.
  private var isResultNext = false

  override func complete(_ outcome: Outcome) {
    if isResultNext, case .done = outcome {
      isResultNext = false
      return proceed(to: nil)
    }
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

  /// All of it; nil when it cannot be read.
  var bytes: [UInt8]? {
    var isRead = true
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
      count = Int(size)
      isRead = read(at: 0, into: UnsafeMutableRawBufferPointer(buffer), count: count)
      if !isRead { buffer.initialize(repeating: 0) }
    }
    return isRead ? bytes : nil
  }

  /// The SHA-256 of all of it; nil when it cannot be read.
  var digest: Digest? {
    let digest = OpenSSLDigest()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { piece.deallocate() }
    var offset: UInt64 = 0
    while offset < size {
      guard let count = read(at: offset, into: piece), count > 0 else { return nil }
      digest.update(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      offset += UInt64(count)
    }
    return digest.finish()
  }

  private func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer, count: Int) -> Bool {
    var done = 0
    while done < count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<count])
      guard let more = read(at: offset + UInt64(done), into: rest), more > 0 else { return false }
      done += more
    }
    return true
  }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    let boundary = UInt64(head.count)
    if offset < boundary {
      let part = head[Int(offset)...].prefix(buffer.count)
      buffer.copyBytes(from: part)
      return part.count
    }
    let start = offset - boundary
    guard start <= entry.size else { return nil }
    let count = Int(min(UInt64(buffer.count), entry.size - start))
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    if let inline = entry.inlineBody {
      target.copyBytes(from: inline[Int(start)...].prefix(count))
    } else if let blob = entry.blob, count > 0 {
      guard blob.read(at: start, into: target) else { return nil }
    }
    return count
  }
}

/// A body in memory.
final class MemoryBody: UploadBody {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var size: UInt64 { UInt64(bytes.count) }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    guard offset <= UInt64(bytes.count) else { return nil }
    let part = bytes[Int(offset)...].prefix(buffer.count)
    buffer.copyBytes(from: part)
    return part.count
  }
}
