import Synchronization

/// Who is told of what has come into the store.
final class StoreObservers: Sendable {
  /// A closure by itself would be wrapped in one more thunk each time it is taken out of the mutex.
  private struct Observer: Sendable {
    let body: @Sendable (StoreEvent) -> Void
  }

  private let observers = Mutex<[Observer]>([])

  func add(_ body: @escaping @Sendable (StoreEvent) -> Void) {
    observers.withLock { $0.append(Observer(body: body)) }
  }

  func report(_ event: StoreEvent) {
    for observer in observers.withLock({ $0 }) { observer.body(event) }
  }
}
