import NIOCore
import Synchronization

/// What all upstreams of a server share, once it is there: loading libcurl takes milliseconds, and deriving a team's keys
/// a tenth of a second when its secret is new on this machine. Nothing waits for it but lookups.
struct Equipment: Sendable {
  let engine: TransferEngine
  /// nil: there is no secret.
  let sealingKey: [UInt8]?
  /// See ``ObjectName/scope``.
  let scope: String
}

/// An equipment that will be there in a moment.
final class EquipmentSupply: Sendable {
  private enum State {
    case awaited([EventLoopPromise<Void>])
    case there(Equipment)
    /// Why there will be none.
    case failed(String, isSaid: Bool)
  }

  private let state = Mutex(State.awaited([]))

  var equipment: Equipment? {
    state.withLock { if case .there(let equipment) = $0 { equipment } else { nil } }
  }

  var failure: String? {
    state.withLock { if case .failed(let reason, _) = $0 { reason } else { nil } }
  }

  /// Why there is none, once.
  func takeFailure() -> String? {
    state.withLock { state in
      guard case .failed(let reason, isSaid: false) = state else { return nil }
      state = .failed(reason, isSaid: true)
      return reason
    }
  }

  /// Whether it is not known yet whether there is one.
  var isAwaited: Bool {
    state.withLock { if case .awaited = $0 { true } else { false } }
  }

  /// When it is known whether there is one; nil: it is known.
  func settling(on loop: any EventLoop) -> EventLoopFuture<Void>? {
    state.withLock { state in
      guard case .awaited(var promises) = state else { return nil }
      let promise = loop.makePromise(of: Void.self)
      // So that the list is not copied.
      state = .awaited([])
      promises.append(promise)
      state = .awaited(promises)
      return promise.futureResult
    }
  }

  func supply(_ result: Result<Equipment, any Error>) {
    let waiting = state.withLock { state -> [EventLoopPromise<Void>] in
      guard case .awaited(let promises) = state else { return [] }
      switch result {
      case .success(let equipment): state = .there(equipment)
      case .failure(let error): state = .failed("\(error)", isSaid: false)
      }
      return promises
    }
    for promise in waiting { promise.succeed() }
  }
}
