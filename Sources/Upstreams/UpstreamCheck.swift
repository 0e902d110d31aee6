import CacheStore
import ControlProtocol
import Cryptography
import LayeredCache
import NIOCore

/// Tries a store out: reads, and writes where that is wanted, an object of its own, which it removes again.
struct UpstreamCheck: Sendable {
  private static let namespace = "fabrik-doctor"
  /// Requests of which the quickest counts: the first also sets up the connection.
  private static let rounds = 3

  let upstream: Upstream
  let equipment: Equipment

  /// - Parameter waiting: entries that wait to be sent up; nil: nothing is written.
  func run(waiting: Int?) async -> UpstreamReport {
    var report = UpstreamReport(
      url: upstream.url, layer: upstream.name, reading: .granted, writing: waiting == nil ? .notWanted : .granted,
      waiting: waiting ?? 0)
    let random = (0..<16).map { _ in UInt8.random(in: 0...255) }
    guard let key = CacheKey(namespace: Self.namespace, bytes: random) else { return report }
    for _ in 0..<Self.rounds {
      let (outcome, latency) = await ask(.get, key)
      // Nobody has ever stored an object of that name.
      if let problem = outcome.isAbsent ? nil : outcome.text ?? Envelope.Flaw.foreign.explanation {
        report.reading = .problem(problem)
        break
      }
      let micros = latency.map { UInt64($0.nanoseconds / 1000) }
      report.latencyMicroseconds = [report.latencyMicroseconds, micros].compactMap { $0 }.min()
    }
    guard waiting != nil else { return report }
    report.writing = await tryWriting(key, body: random)
    return report
  }

  private func tryWriting(_ key: CacheKey, body: [UInt8]) async -> UpstreamReport.Right {
    guard let digest = OpenSSL.sha256(body).map({ Digest(bytes: $0) }) else { return .problem("OpenSSL fails") }
    let envelope = Envelope(key: key, digest: digest, size: UInt64(body.count), duration: nil)
    guard let head = envelope.head(sealingKey: equipment.sealingKey) else { return .problem("OpenSSL fails") }
    if let problem = await ask(.put, key, body: head + body).0.text { return .problem(problem) }
    let (outcome, _) = await ask(.get, key, expecting: head + body)
    _ = await ask(.delete, key)
    switch outcome {
    case .done: return .granted
    case .absent: return .problem("took an object, and does not have it")
    default: return .problem(outcome.text ?? "gives another object back than it took")
    }
  }

  private func ask(
    _ method: UpstreamRequest.Method, _ key: CacheKey, body: [UInt8]? = nil, expecting: [UInt8]? = nil
  ) async -> (StoreExchange.Outcome, TimeAmount?) {
    await withCheckedContinuation { continuation in
      Probe(
        method, ObjectName(scope: equipment.scope, key: key), of: upstream, engine: equipment.engine, body: body,
        expecting: expecting
      ) { continuation.resume(returning: ($0, $1)) }.start()
    }
  }
}

extension StoreExchange.Outcome {
  /// What is wrong; nil: nothing, or there is no such object.
  fileprivate var text: String? {
    switch self {
    case .done, .absent: nil
    case .problem(let problem): problem.text.hasPrefix(": ") ? String(problem.text.dropFirst(2)) : problem.text
    case .nothing: "gives another object back than it took"
    }
  }

  fileprivate var isAbsent: Bool { if case .absent = self { true } else { false } }
}

/// One request of a check.
private final class Probe: StoreExchange, @unchecked Sendable {
  /// Milliseconds: whoever asks what is wrong with a store wants to hear more than that it is slow.
  private static let leastPatience = 5000

  private let body: [UInt8]?
  private let expected: [UInt8]?
  private var received: [UInt8] = []
  private let onEnd: @Sendable (Outcome, TimeAmount?) -> Void

  init(
    _ method: UpstreamRequest.Method, _ name: ObjectName, of upstream: Upstream, engine: TransferEngine,
    body: [UInt8]?, expecting expected: [UInt8]?, onEnd: @escaping @Sendable (Outcome, TimeAmount?) -> Void
  ) {
    self.body = body
    self.expected = expected
    self.onEnd = onEnd
    super.init(method, name, of: upstream, engine: engine, urgency: .lookup)
  }

  override var patience: Int { max(Self.leastPatience, upstream.settings.timeout) }

  override func makeBody() throws(BodyGone) -> (any UploadBody)? {
    body.map { MemoryBody(upstream.store.isBazel ? BazelLayout.encode(.inline($0)) : $0) }
  }

  override func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard received.count + bytes.count <= BazelLayout.resultLimit else { return false }
    received += bytes
    return true
  }

  override func complete(_ outcome: Outcome) {
    guard case .done = outcome, let expected else { return onEnd(outcome, latency) }
    let object = upstream.store.isBazel ? BazelLayout.decode(received) : .inline(received)
    onEnd(object == .inline(expected) ? .done : .nothing, latency)
  }
}
