import CacheStore
import NIOCore
import NIOPosix

/// Sends one entry of the local store up.
final class EntryUpload: StoreExchange, @unchecked Sendable {
  /// A body must be taken at this rate, in bytes per second; nobody waits for it.
  private static let leastRate = 10_000.0
  private static let grace = 30.0
  /// Milliseconds: the store may write to its disk before it answers.
  private static let longestPatience = 60_000

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

  override var patience: Int { Self.longestPatience }

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

  override func makeBody() throws(BodyGone) -> (any UploadBody)? {
    let body: (any UploadBody)? =
      switch preparation {
      case .none: openObject()
      case .gone: nil
      case .ready(let object, let digest): bazelBody(object, digest)
      }
    guard let body else { throw BodyGone() }
    return body
  }

  /// Small objects go into the `ActionResult`. Of others the bytes go first: a result that names what is not there is
  /// refused.
  private func bazelBody(_ object: SealedEntry, _ digest: Digest?) -> (any UploadBody)? {
    if let place, !isResultNext { return MemoryBody(BazelLayout.encode(place)) }
    guard let digest else { return object.bytes.map { MemoryBody(BazelLayout.encode(.inline($0))) } }
    guard let url = upstream.store.blobURL(digest) else { return nil }
    place = .blob(digest, size: object.size)
    isResultNext = true
    target = url
    return object
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
