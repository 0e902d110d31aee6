import NIOCore
import PeerRecords

/// The answer to who asks what this machine holds: given when there is something new, or after a while. To be used on the
/// channel's event loop only.
final class SummaryAnswer {
  /// How long a question for changes waits for one; then the answer is that there are none.
  static let changePatience = TimeAmount.seconds(25)
  /// Changes within this time are told together.
  static let changePause = TimeAmount.milliseconds(50)
  /// How long a peer that has not been let in waits for its answer; then it is no.
  private static let consentPatience = TimeAmount.seconds(6)
  /// How often it is looked whether the user has let a waiting peer in. One system call.
  private static let consentInterval = TimeAmount.milliseconds(200)

  private let peer: Introduction
  private let address: String
  private let service: PeerService
  private let channel: any Channel
  private let expect: (TimeAmount) -> Void
  private let done: EventLoopPromise<Void>
  /// What the peer knows.
  private var since: SummaryGeneration?
  /// What is waited for.
  private var change: UInt64?
  private var timer: Scheduled<Void>?
  private var isOver = false

  /// - Parameter expect: called with the time within which the answer should be gone.
  init(
    since: SummaryGeneration?, to peer: Introduction, at address: String, service: PeerService, channel: any Channel,
    expect: @escaping (TimeAmount) -> Void
  ) {
    self.since = since
    self.peer = peer
    self.address = address
    self.service = service
    self.channel = channel
    self.expect = expect
    done = channel.eventLoop.makePromise()
  }

  /// Completes when the answer is gone, or given up.
  func start(_ verdict: ConsentGate.Verdict) -> EventLoopFuture<Void> {
    if verdict == .allowed {
      awaitChange()
    } else {
      awaitConsent(until: channel.eventLoop.now + Self.consentPatience)
    }
    return done.futureResult
  }

  /// The connection has ended.
  func cancel() {
    finish()
    timer?.cancel()
    if let change { service.summary.cancel(change) }
  }

  private func finish() {
    guard !isOver else { return }
    isOver = true
    done.succeed()
  }

  private func schedule(in time: TimeAmount, _ body: @escaping (SummaryAnswer) -> Void) {
    let this = NIOLoopBound((self, body), eventLoop: channel.eventLoop)
    timer = channel.eventLoop.scheduleTask(in: time) { this.value.1(this.value.0) }
  }

  private var verdict: ConsentGate.Verdict { service.verdict(on: peer, at: address) }

  /// A peer that is not let in learns at once what the user says.
  private func awaitConsent(until end: NIODeadline) {
    schedule(in: Self.consentInterval) { answer in
      let verdict = answer.verdict
      if verdict == .allowed {
        answer.since = nil
        return answer.awaitChange()
      }
      guard answer.channel.eventLoop.now >= end else { return answer.awaitConsent(until: end) }
      answer.refuse(verdict)
    }
  }

  private func awaitChange() {
    let (id, changed) = service.summary.change(since: since, on: channel.eventLoop)
    change = id
    schedule(in: Self.changePatience) { $0.service.summary.cancel(id) }
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    changed.whenComplete { _ in this.value.hasChanged() }
  }

  private func hasChanged() {
    change = nil
    timer?.cancel()
    guard !isOver else { return }
    // The first question is answered at once; later ones are about what is being built now, and comes in bursts.
    schedule(in: since == nil ? .zero : Self.changePause) { $0.write() }
  }

  private func write() {
    // The user may have said no meanwhile.
    let verdict = verdict
    guard verdict == .allowed else { return refuse(verdict) }
    guard let place = TransferPlace(service, for: peer.identifier, delaysEnd: false) else {
      channel.send(.answer(.busy))
      return finish()
    }
    let answer = service.summary.answer(since: since)
    let head = SummaryHead(generation: answer.generation, isFull: answer.isFull, count: answer.fingerprints.count)
    var buffer = channel.allocator.buffer(capacity: 512 + head.count * SummaryHead.fingerprintSize)
    head.message.write(into: &buffer)
    for fingerprint in answer.fingerprints { buffer.writeInteger(fingerprint, endianness: .little) }
    expect(EntryAnswer.sendPatience)
    // The next request waits until this answer is gone: whoever reads nothing costs one summary, not many.
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    channel.writeAndFlush(buffer).whenComplete { _ in
      place.end()
      this.value.finish()
    }
  }

  private func refuse(_ verdict: ConsentGate.Verdict) {
    channel.send(.answer(.refused, ConsentField.fields(verdict)))
    finish()
  }
}
