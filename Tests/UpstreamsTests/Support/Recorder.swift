import NIOCore
import NIOPosix
import Synchronization

@testable import Upstreams

/// Takes an answer, and remembers what it was told.
final class Recorder: TransferConsumer, Sendable {
  struct State: Sendable {
    var heads: [AnswerHead] = []
    var body: [UInt8] = []
    var ends: [TransferFailure?] = []
  }

  private let state = Mutex(State())
  private let promise = FakeStore.group.next().makePromise(of: Void.self)
  private let begun = FakeStore.group.next().makePromise(of: Void.self)
  private let interest: Int
  private let isImpatient: Bool

  /// - Parameters:
  ///   - interest: bytes of the body after which no more is wanted.
  ///   - isImpatient: finds each body too slow once a part of it is there.
  init(interest: Int = .max, isImpatient: Bool = false) {
    self.interest = interest
    self.isImpatient = isImpatient
  }

  func begin(_ head: AnswerHead) -> Bool {
    state.withLock { $0.heads.append(head) }
    begun.succeed()
    return interest > 0
  }

  func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    state.withLock { state in
      state.body += bytes
      return state.body.count < interest
    }
  }

  func isTooSlow(received: UInt64, since head: NIODeadline) -> Bool { isImpatient && received > 0 }

  func end(_ failure: TransferFailure?) {
    let isFirst = state.withLock { state in
      state.ends.append(failure)
      return state.ends.count == 1
    }
    begun.succeed()
    if isFirst { promise.succeed() }
  }

  /// Waits for the end.
  func result() async throws -> State {
    try await promise.futureResult.get()
    return now
  }

  /// Waits for the head, or the end.
  func beginning() async throws { try await begun.futureResult.get() }

  var now: State { state.withLock { $0 } }
}

extension Recorder.State {
  var status: Int? { heads.first?.status }
  var failure: TransferFailure? { ends.first ?? nil }
}

extension TransferEngine {
  /// Performs one request.
  func perform(
    _ method: UpstreamRequest.Method = .get, _ url: String, _ headers: [UpstreamRequest.Header] = [],
    body: [UInt8]? = nil, urgency: Urgency = .lookup, patience: Int = 30_000,
    options: ConnectionOptions = ConnectionOptions(connectPatience: 30_000), into recorder: Recorder = Recorder()
  ) -> Recorder {
    perform(urgency) {
      Transfer(
        UpstreamRequest(method: method, url: url, headers: headers), options: options, patience: patience,
        upload: body.map { MemoryBody($0) }, consumer: recorder)
    }
    return recorder
  }
}
