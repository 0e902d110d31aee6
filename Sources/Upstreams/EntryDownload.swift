import CacheStore
import ControlProtocol
import LayeredCache
import NIOCore
import Synchronization

/// Fetches one entry into the local store.
final class EntryDownload: StoreExchange, @unchecked Sendable {
  /// A body must come at this rate, in bytes per second, once ``grace`` seconds are over: a slow line that many share
  /// is still faster than a compiler.
  private static let leastRate = 50_000.0
  private static let grace = 2.0
  /// A whole body must have come within so many seconds, if it is not known to have taken longer to make.
  private static let longest = 8.0
  private static let longestOfAll = 60.0
  /// Of TCP, and TLS as it is without shortcuts.
  private static let roundTripsOfConnecting = 4

  /// Milliseconds: a store may be slow at times.
  private static let leastPatience = 1000

  static let tooLarge = "it is larger than this machine's whole cache"

  private let local: CacheStore
  private let key: CacheKey
  private let reader: EnvelopeReader
  private let answer: Answer
  private var flaw: Envelope.Flaw?
  /// Whether the object is larger than the whole cache, and so cannot be taken in.
  private var isTooLarge = false
  /// What has come of an `ActionResult`; nil: the object itself is awaited.
  private var actionResult: [UInt8]?

  /// Where the answer goes: once, from whichever thread is first.
  final class Answer: Sendable {
    let promise: EventLoopPromise<LayerAnswer>
    /// Completes when the entry can be found in the local store, or never will.
    let stored: EventLoopPromise<Void>
    private let isGiven = Atomic<Bool>(false)

    init(promise: EventLoopPromise<LayerAnswer>, stored: EventLoopPromise<Void>) {
      self.promise = promise
      self.stored = stored
    }

    func give(_ answer: LayerAnswer) {
      if !isGiven.exchange(true, ordering: .relaxed) { promise.succeed(answer) }
    }
  }

  init(
    _ key: CacheKey, of upstream: Upstream, equipment: Equipment, urgency: TransferEngine.Urgency,
    into local: CacheStore,
    answer: Answer
  ) {
    self.key = key
    self.local = local
    self.answer = answer
    actionResult = upstream.store.isBazel ? [] : nil
    reader = EnvelopeReader(
      key: key, sealingKey: equipment.sealingKey, store: local, bodyLimit: FetchedEntry.bodyLimit)
    super.init(
      .get, ObjectName(scope: equipment.scope, key: key), of: upstream, engine: equipment.engine, urgency: urgency,
      tag: key)
  }

  /// A new connection takes several round trips. What is learned shortens the wait only within reason, and before anything
  /// is known there is nothing to shorten it.
  override var patience: Int {
    guard let typical = upstream.health.typicalLatency else { return upstream.settings.timeout }
    let learned = upstream.health.patience + typical * Self.roundTripsOfConnecting
    return min(upstream.settings.timeout, max(Self.leastPatience, Int(learned.nanoseconds / 1_000_000)))
  }

  override func accept(_ head: AnswerHead) -> Bool {
    if let latency { upstream.health.recordLatency(latency) }
    isTooLarge = (head.contentLength ?? 0) > local.maxSize
    return !isTooLarge
  }

  override func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let count = actionResult?.count else { return takeObject(bytes) }
    guard count + bytes.count <= BazelLayout.resultLimit else {
      flaw = .foreign
      return false
    }
    actionResult?.append(contentsOf: bytes)
    return true
  }

  private func takeObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
    do {
      try reader.take(bytes)
      // The length may not have been said before.
      isTooLarge = (reader.envelope?.size ?? 0) > local.maxSize
      return !isTooLarge
    } catch {
      flaw = error
      return false
    }
  }

  override func isTooSlow(received: UInt64, since head: NIODeadline) -> Bool {
    let seconds = Double((NIODeadline.now() - head).nanoseconds) / 1e9
    let made = reader.envelope?.duration.map { Double($0) / 1000 } ?? 0
    return seconds > Self.grace + Double(received) / Self.leastRate
      || seconds > min(Self.longestOfAll, max(Self.longest, made))
  }

  override func complete(_ outcome: Outcome) {
    isEnded = true
    finishAnswer(outcome)
    if isEnded { answer.stored.succeed() }
  }

  /// Whether nothing follows: no other request, and the body is stored or never will be.
  private var isEnded = true

  private func finishAnswer(_ outcome: Outcome) {
    if let flaw { return reject(flaw) }
    switch outcome {
    case .done:
      guard let result = actionResult else { return finish() }
      actionResult = nil
      finish(actionResult: result)
    case .absent:
      if let latency { upstream.health.recordLatency(latency) }
      upstream.health.recordSuccess(.reading)
      upstream.misses.insert(key)
      answer.give(.nothing(LayerOutcome(.absent)))
    case .problem(let problem):
      upstream.health.record(problem, .reading)
      answer.give(.nothing(LayerOutcome(.failed, detail: problem.text)))
    case .nothing:
      if isTooLarge { upstream.misses.insert(key, .tooLarge) }
      upstream.health.recordNothing(.reading)
      answer.give(.nothing(isTooLarge ? LayerOutcome(.rejected, detail: Self.tooLarge) : LayerOutcome(.failed)))
    }
  }

  private func finish() {
    do {
      guard let entry = try reader.finish(origin: upstream.origin) else {
        upstream.health.recordSuccess(.reading)
        return answer.give(.nothing(LayerOutcome(.unstored)))
      }
      upstream.health.recordSuccess(.reading)
      let envelope = entry.envelope
      // The tool gets its answer first: to store it takes as long again.
      answer.give(
        .entry(
          FetchedEntry(
            layer: upstream.name, size: envelope.size, duration: envelope.duration, body: entry.body,
            stored: answer.stored.futureResult)))
      guard let body = entry.body else { return }
      isEnded = false
      // Not before it is known where it came from: who found it in the store sooner would take it for this machine's own.
      answer.promise.futureResult.whenComplete { _ in
        self.engine.perform(.lookup) {
          self.store(body, envelope)
          return nil
        }
      }
    } catch {
      reject(error)
    }
  }

  private func store(_ body: ByteBuffer, _ envelope: Envelope) {
    body.withUnsafeReadableBytes {
      local.keep(
        $0, under: key, digest: envelope.digest, duration: envelope.duration, origin: upstream.origin)
    }
    answer.stored.succeed()
  }

  private func finish(actionResult: [UInt8]) {
    switch BazelLayout.decode(actionResult) {
    case .inline(let bytes):
      guard bytes.withUnsafeBytes(takeObject) else { return reject(flaw ?? .foreign) }
      finish()
    case .blob(let digest, _):
      guard let url = upstream.store.blobURL(digest) else { return reject(.foreign) }
      isEnded = false
      proceed(to: url)
    case nil: reject(.foreign)
    }
  }

  private func reject(_ flaw: Envelope.Flaw) {
    upstream.health.recordRejection(flaw)
    upstream.misses.insert(key, .rejected)
    answer.give(.nothing(LayerOutcome(.rejected, detail: flaw.remark)))
  }
}
