import CacheStore
import ControlProtocol
import Cryptography
import LayeredCache
import NIOCore
import PeerRecords
import SystemSupport

/// One question to one peer, and the entry's way into the store.
final class EntryFetch: AnswerConsumer {
  /// How often a transfer is looked at.
  private static let progressInterval = TimeAmount.milliseconds(250)
  /// A body must come at this rate, in bytes per second, once ``progressGrace`` is over: a slower one costs more than
  /// making it again.
  private static let leastRate = 1_000_000.0
  private static let progressGrace = 0.5
  /// A whole body must have come within so many seconds, whatever its size; ccache waits for ten.
  private static let shortestPatience = 8.0
  /// A larger one, at this rate, in bytes per second.
  private static let wholeRate = 8_000_000.0
  /// And any, within so many seconds.
  private static let longestPatience = 60.0

  let link: PeerLink
  private let lookup: PeerLookup
  private weak var connection: PeerClientHandler?
  private var loop: (any EventLoop)?
  private var timer: Scheduled<Void>?
  private var askedAt = NIODeadline.now()
  private var beganAt = NIODeadline.now()
  private var writer: EntryWriter?
  /// What the peer has announced.
  private var entry: EntryHead?
  private var received: UInt64 = 0
  /// What has been received, as long as it is small.
  private var body: ByteBuffer?
  private(set) var isOver = false
  /// Why it ended without the entry.
  private(set) var outcome = LayerOutcome(.failed)

  init(lookup: PeerLookup, link: PeerLink) {
    self.lookup = lookup
    self.link = link
  }

  func start(on connection: PeerClientHandler, loop: any EventLoop) {
    guard !isOver else { return }
    self.connection = connection
    self.loop = loop
    askedAt = .now()
    // What waits before this request on the same connection is answered first.
    let patience = link.latency.lost * connection.outstanding
    schedule(in: patience) { $0.giveUp() }
  }

  private func schedule(in time: TimeAmount, _ body: @escaping (EntryFetch) -> Void) {
    guard let loop else { return }
    let this = NIOLoopBound((self, body), eventLoop: loop)
    timer = loop.scheduleTask(in: time) { this.value.1(this.value.0) }
  }

  /// The peer does not answer, or too slowly. Its connection is worth nothing any more, unless the answer to another
  /// request is still coming in.
  private func giveUp() {
    guard !isOver else { return }
    let connection = connection
    let isNext = connection?.isNext(self) ?? false
    over(.late)
    if isNext { link.breaker.recordFailure(now: .now()) } else { link.breaker.recordNothing(now: .now()) }
    if isNext { connection?.close() }
    lookup.failed(self)
  }

  private func over(_ kind: LayerOutcome.Kind = .failed) {
    isOver = true
    outcome = LayerOutcome(kind, detail: link.peer?.name ?? "")
    timer?.cancel()
    writer = nil
  }

  func begin(_ head: MessageHead) -> Bool {
    guard !isOver else { return false }
    timer?.cancel()
    // Those that are fetched ahead wait for each other.
    if lookup.urgency == .tool { link.latency.record(.now() - askedAt) }
    guard head.status == PeerStatus.ok.rawValue else {
      over(Self.refusal(head))
      decline(head)
      lookup.failed(self)
      return false
    }
    guard let entry = EntryHead(head), lookup.key.admits(entry.digest) else {
      over(.rejected)
      lookup.directory.ban(link)
      lookup.failed(self)
      return false
    }
    guard entry.size <= lookup.store.maxSize else {
      // Its cache is larger than this whole one.
      over(.unstored)
      link.breaker.recordSuccess()
      lookup.forget(link)
      lookup.failed(self)
      return false
    }
    guard lookup.claim(self) else {
      over()
      lookup.keepInReserve(link)
      link.breaker.recordSuccess()
      return false
    }
    self.entry = entry
    if entry.size <= UInt64(FetchedEntry.bodyLimit) {
      body = ByteBuffer()
    } else {
      writer = lookup.store.makeWriter(key: lookup.key, digest: OpenSSLDigest())
    }
    beganAt = .now()
    watchProgress()
    return true
  }

  private static func refusal(_ head: MessageHead) -> LayerOutcome.Kind {
    switch head.status {
    case PeerStatus.refused.rawValue: .refused
    case PeerStatus.busy.rawValue: .busy
    case PeerStatus.missing.rawValue: .absent
    default: .failed
    }
  }

  /// The peer answers, but does not give.
  private func decline(_ head: MessageHead) {
    // One of the clocks has been set: with the time that came with this answer, the request is taken.
    if head.status == PeerStatus.unauthenticated.rawValue, !lookup.askAgain(link) {
      return link.breaker.recordFailure(now: .now())
    }
    link.breaker.recordSuccess()
    switch head.status {
    case PeerStatus.refused.rawValue: link.wasRefused()
    case PeerStatus.missing.rawValue: lookup.forget(link)
    default: break
    }
  }

  private func watchProgress() {
    schedule(in: Self.progressInterval) { fetch in
      if fetch.isTooSlow { fetch.giveUp() } else { fetch.watchProgress() }
    }
  }

  /// Whether a body costs more than making it again: it comes too slowly, or takes longer than tools have patience.
  private var isTooSlow: Bool {
    let seconds = Double((NIODeadline.now() - beganAt).nanoseconds) / 1e9
    let longest = min(Self.longestPatience, max(Self.shortestPatience, Double(entry?.size ?? 0) / Self.wholeRate))
    return seconds > Self.progressGrace + Double(received) / Self.leastRate || seconds > longest
  }

  func take(_ piece: ByteBuffer) {
    guard !isOver else { return }
    received += UInt64(piece.readableBytes)
    piece.withUnsafeReadableBytes { writer?.write($0) }
    body?.writeImmutableBuffer(piece)
  }

  func end() {
    guard !isOver, let entry else { return }
    if let body { endSmall(body, entry) } else if let writer { endLarge(writer, entry) }
  }

  /// The tool gets its answer as soon as the body is known to be right; storing it takes as long again.
  private func endSmall(_ body: ByteBuffer, _ entry: EntryHead) {
    let computing = OpenSSLDigest()
    body.withUnsafeReadableBytes { computing.update($0) }
    guard computing.finish() == entry.digest else { return lied() }
    // Who needs a file waits for it.
    let stored = loop?.makePromise(of: Void.self)
    succeed(body, stored: stored?.futureResult)
    lookup.directory.storing.store(
      body, under: lookup.key, digest: entry.digest, duration: entry.duration, origin: origin, in: lookup.store,
      done: stored)
  }

  private func endLarge(_ writer: EntryWriter, _ entry: EntryHead) {
    switch writer.commit(duration: entry.duration, origin: origin, expecting: entry.digest, mode: .keepFirst) {
    case .stored, .alreadyThere: succeed(nil)
    case .mismatch: lied()
    case .notStored:
      over(.unstored)
      link.breaker.recordNothing(now: .now())
      lookup.failed(self)
    }
  }

  private var origin: String { link.peer.map { "peer \($0.identifier)" } ?? "peer" }

  private func succeed(_ body: ByteBuffer?, stored: EventLoopFuture<Void>? = nil) {
    over()
    link.breaker.recordSuccess()
    lookup.succeeded(self, size: received, duration: entry?.duration, body: body, stored: stored)
  }

  /// Not an accident: the channel does not change bytes, and the peer checks its own.
  private func lied() {
    over(.rejected)
    lookup.directory.ban(link)
    lookup.failed(self)
  }

  func fail() {
    guard !isOver else { return }
    over()
    link.breaker.recordFailure(now: .now())
    lookup.failed(self)
  }

  func abandon() {
    guard !isOver else { return }
    over()
    link.breaker.recordNothing(now: .now())
    lookup.askAgain(link)
    lookup.failed(self)
  }
}
