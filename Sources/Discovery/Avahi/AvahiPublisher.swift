import DesktopBus
import Glibc
import Synchronization

/// Publishes a service by the machine's avahi-daemon, as long as there is one: it waits for one to come, and publishes
/// anew when it was restarted.
package final class AvahiPublisher: Sendable {
  package enum State: Sendable, Equatable {
    case published
    /// Avahi does not publish it now, and why.
    case unavailable(String)
  }

  /// How long `stop` waits for its thread. All waiting of the thread for others ends at once, so this is a limit for
  /// what should not be, such as a bus whose queue of connections is full.
  private static let stopPatience = Duration.seconds(5)

  private let service: PublishedService
  private let interfaces: [String]
  private let busAddress: String
  private let onChange: @Sendable (State) -> Void
  private let thread = Mutex<(thread: BusThread, interruption: Interruption)?>(nil)

  /// - Parameters:
  ///   - interfaces: where to publish, by name; empty: wherever Avahi is.
  ///   - busAddress: of the system bus.
  ///   - onChange: called on a thread of this object, first soon after `start` and then with each change; never after
  ///     `stop` has returned, unless it is itself what `stop` waited for in vain.
  package init(
    _ service: PublishedService, interfaces: [String] = [], busAddress: String = systemBusAddress,
    onChange: @escaping @Sendable (State) -> Void
  ) {
    self.service = service
    self.interfaces = interfaces
    self.busAddress = busAddress
    self.onChange = onChange
  }

  deinit { stop() }

  /// `DBUS_SYSTEM_BUS_ADDRESS`, else the usual places.
  package static var systemBusAddress: String {
    if let address = getenv("DBUS_SYSTEM_BUS_ADDRESS"), address.pointee != 0 { return String(cString: address) }
    return "unix:path=/run/dbus/system_bus_socket;unix:path=/var/run/dbus/system_bus_socket"
  }

  /// Begins on a thread of its own. Does nothing when it has begun.
  package func start() {
    let failure = thread.withLock { thread -> (any Error)? in
      guard thread == nil else { return nil }
      do {
        let interruption = try Interruption()
        let work = AvahiWork(
          service: service, interfaces: interfaces, busAddress: busAddress, interruption: interruption,
          onChange: onChange)
        thread = (try BusThread { work.run() }, interruption)
        return nil
      } catch {
        return error
      }
    }
    // Not with the lock held: whoever is told may want to stop this.
    if let failure { onChange(.unavailable("\(failure)")) }
  }

  /// Withdraws the service, upon which the daemon says goodbye to the network, and waits for the thread, at most 5 s; usually a millisecond.
  package func stop() {
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    guard let running else { return }
    running.interruption.fire()
    running.thread.join(until: .after(Self.stopPatience))
  }
}
