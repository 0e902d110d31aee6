package import DesktopBus

/// A service within the test, which does to each call whatever the test says, on a thread of its own.
package final class FakeService: Sendable {
  package struct Unusable: Error {
    package init() {}
  }

  private let thread: BusThread
  private let interruption: Interruption

  /// Returns when the service can be called.
  ///
  /// - Parameter handle: gets each call and signal, and the connection to answer over.
  package init(
    _ name: String, on bus: PrivateBus, _ handle: @escaping @Sendable (BusMessage, BusConnection) throws -> Void
  ) throws {
    let interruption = try Interruption()
    let ready = try Interruption()
    let address = bus.address
    self.interruption = interruption
    thread = try BusThread {
      do {
        let connection = try BusConnection(address: address, interruption: interruption, isService: true)
        guard try connection.offer(name) else { return }
        ready.fire()
        while true {
          if let message = try connection.next(within: .seconds(60)) { try handle(message, connection) }
        }
      } catch {}
    }
    guard ready.wait(until: .after(.seconds(60))) else { throw Unusable() }
  }

  deinit { end() }

  /// Ends the service, as if it had crashed.
  package func end() {
    guard !interruption.isFired else { return }
    interruption.fire()
    thread.join(until: .after(.seconds(60)))
  }
}
