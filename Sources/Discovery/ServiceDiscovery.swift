import Synchronization
import SystemSupport

/// Finds the services of this kind on the local network by multicast DNS, and answers for an own one. Needs no daemon,
/// and shares the port with one that is there.
///
/// Where there is no network, or it is forbidden, nothing is found; that is not an error. All that is found is hearsay:
/// anybody on the network may claim anything.
package final class ServiceDiscovery: Sendable {
  private let interfaces: [String]
  private let wants: @Sendable ([String: String]) -> Bool
  private let onEvent: @Sendable (DiscoveryEvent) -> Void
  private let mailbox = DiscoveryMailbox()
  private let thread = Mutex<WorkerThread?>(nil)

  /// - Parameters:
  ///   - interfaces: Names; empty for all that are up and can multicast, and the loopback.
  ///   - wants: Called with the text of a service before anything of it is kept; what it refuses is forgotten at once.
  ///   - onEvent: Called for each service that is found, changes or is lost, but for the published one.
  ///
  /// Both are called on the discovery's thread, and `wants` often where there are many strangers: they must be quick.
  package init(
    interfaces: [String], wants: @escaping @Sendable ([String: String]) -> Bool,
    onEvent: @escaping @Sendable (DiscoveryEvent) -> Void
  ) {
    self.interfaces = interfaces
    self.wants = wants
    self.onEvent = onEvent
  }

  deinit {
    stop()
  }

  /// Begins to ask, at once, on a thread of its own. To be called once.
  /// - Throws: An `Errno` when there are no descriptors or threads left.
  package func start() throws {
    let wakeup = try Wakeup()
    try thread.withLock { thread in
      precondition(thread == nil, "started twice")
      thread = try WorkerThread { [interfaces, wants, onEvent, mailbox] in
        let loop = DiscoveryLoop(interfaces: interfaces, wants: wants, onEvent: onEvent)
        loop.run(wakeup: wakeup) { mailbox.take() }
      }
    }
    mailbox.attach(wakeup)
  }

  /// Announces a service and answers for it, in place of one published before. It is never reported as found, not even
  /// after it has been withdrawn.
  package func publish(_ service: PublishedService) { mailbox.put(.publish(service)) }

  /// Says goodbye and answers no more.
  package func withdraw() { mailbox.put(.withdraw) }

  /// Asks again now, at most once in a second.
  package func refresh() { mailbox.put(.refresh) }

  /// Says goodbye and ends the thread. No event is reported after it has returned, unless it was called by one.
  package func stop() {
    mailbox.close()
    thread.withLock { thread in
      defer { thread = nil }
      return thread
    }?.end()
  }
}

/// What other threads want of the discovery's.
final class DiscoveryMailbox: Sendable {
  private struct State {
    var commands: [DiscoveryLoop.Command] = []
    var wakeup: Wakeup?
    var isClosed = false
  }

  private let state = Mutex(State())

  /// From now on the reader is woken; what has come before is there for it.
  func attach(_ wakeup: Wakeup) {
    state.withLock { $0.wakeup = wakeup }
    wakeup.signal()
  }

  func put(_ command: DiscoveryLoop.Command) {
    state.withLock {
      $0.commands.append(command)
      $0.wakeup?.signal()
    }
  }

  func close() {
    state.withLock {
      $0.isClosed = true
      $0.wakeup?.signal()
    }
  }

  /// All that has come since the last call; nil after the end.
  func take() -> [DiscoveryLoop.Command]? {
    state.withLock { state in
      defer { state.commands = [] }
      return state.isClosed ? nil : state.commands
    }
  }
}
