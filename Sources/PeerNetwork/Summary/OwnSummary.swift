import NIOCore
import Synchronization

/// The fingerprints of what this machine holds for the team, and their changes, for peers that keep a copy.
///
/// A summary promises nothing: an entry may have been evicted since. It spares the question for keys that nobody has.
final class OwnSummary: Sendable {
  /// What a peer that has the state `since` is sent.
  struct Answer: Sendable {
    let generation: SummaryGeneration
    /// Everything, in place of what was known; otherwise what has been added.
    let isFull: Bool
    let fingerprints: [UInt32]
  }

  private struct State {
    var known: Set<UInt32> = []
    /// What was added, oldest first; the last one made the state `generation`.
    var log: [UInt32] = []
    var generation: UInt64 = 0
    var waiting: [Waiter] = []
  }

  private struct Waiter {
    let id: UInt64
    let promise: EventLoopPromise<Void>
  }

  /// Fingerprints of a summary: 4 MiB on the wire. What is beyond it is not announced.
  static let limit = 1 << 20
  /// Additions that are remembered one by one; a peer that lags further behind gets everything.
  private static let logLimit = 1 << 14

  private let epoch = UInt32.random(in: 1...UInt32.max)
  private let state = Mutex(State())

  /// What a listing of the store finds takes the place of everything but what is inserted meanwhile: the listing may
  /// have been past its place by then.
  ///
  /// - Parameter list: finds at most ``limit`` fingerprints.
  func replace(byListing list: () -> Set<UInt32>) {
    let start = state.withLock { $0.generation }
    let listed = list()
    let waiters = state.withLock { state -> [Waiter] in
      let recent = state.log.suffix(Int(clamping: state.generation - start))
      var fingerprints = listed
      // Peers take more for a breach of the protocol.
      for fingerprint in recent where fingerprints.count < Self.limit { fingerprints.insert(fingerprint) }
      guard fingerprints != state.known else { return [] }
      let isGrowth = fingerprints.isSuperset(of: state.known)
      let added = isGrowth ? Array(fingerprints.subtracting(state.known)) : []
      state.known = fingerprints
      if isGrowth, added.count < Self.logLimit {
        Self.note(added, in: &state)
      } else {
        state.log = []
        state.generation += 1
      }
      return Self.takeWaiters(&state)
    }
    for waiter in waiters { waiter.promise.succeed() }
  }

  /// Adds an entry that has just been stored.
  func insert(_ fingerprint: UInt32) {
    let waiters = state.withLock { state -> [Waiter] in
      guard state.known.count < Self.limit, state.known.insert(fingerprint).inserted else { return [] }
      Self.note([fingerprint], in: &state)
      return Self.takeWaiters(&state)
    }
    for waiter in waiters { waiter.promise.succeed() }
  }

  private static func note(_ added: [UInt32], in state: inout State) {
    state.log += added
    state.generation += UInt64(added.count)
    if state.log.count > 2 * logLimit { state.log.removeFirst(state.log.count - logLimit) }
  }

  private static func takeWaiters(_ state: inout State) -> [Waiter] {
    defer { state.waiting = [] }
    return state.waiting
  }

  var count: Int { state.withLock { $0.known.count } }

  func answer(since: SummaryGeneration?) -> Answer {
    state.withLock { state in
      let generation = SummaryGeneration(epoch: epoch, number: state.generation)
      if let since, since.epoch == epoch, since.number <= state.generation,
        state.generation - since.number <= UInt64(state.log.count)
      {
        let added = state.log.suffix(Int(state.generation - since.number))
        return Answer(generation: generation, isFull: false, fingerprints: Array(added))
      }
      return Answer(generation: generation, isFull: true, fingerprints: Array(state.known))
    }
  }

  /// Completes when there is something that a peer with the state `since` does not know.
  func change(since: SummaryGeneration?, on loop: any EventLoop) -> (id: UInt64, EventLoopFuture<Void>) {
    let promise = loop.makePromise(of: Void.self)
    let id = UInt64.random(in: 0...UInt64.max)
    let isNew = state.withLock { state in
      guard let since, since.epoch == epoch, since.number == state.generation else { return true }
      state.waiting.append(Waiter(id: id, promise: promise))
      return false
    }
    if isNew { promise.succeed() }
    return (id, promise.futureResult)
  }

  /// Gives up waiting; the future completes.
  func cancel(_ id: UInt64) {
    let waiter = state.withLock { state -> Waiter? in
      guard let index = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
      return state.waiting.remove(at: index)
    }
    waiter?.promise.succeed()
  }
}
