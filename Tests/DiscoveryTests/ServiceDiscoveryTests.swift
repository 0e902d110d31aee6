import Synchronization
import TestSupport
import Testing

@testable import Discovery

/// On the loopback only: the network of the machine that runs the tests is none of theirs.
@Suite("A service discovery", .timeLimit(.minutes(5)))
struct ServiceDiscoveryTests {
  /// A discovery that takes part in this test only, and its events.
  private func make(team: String = "t") -> (ServiceDiscovery, AsyncStream<DiscoveryEvent>) {
    let (events, continuation) = AsyncStream.makeStream(of: DiscoveryEvent.self)
    let discovery = ServiceDiscovery(interfaces: ["lo"], wants: { $0["team"] == team }) { continuation.yield($0) }
    return (discovery, events)
  }

  private func service(_ instance: String, team: String = "t") -> PublishedService {
    PublishedService(instance: instance, port: 4711, text: ["team": team])
  }

  @Test("can be stopped at any time, more than once, and without having been started")
  func stopping() throws {
    let (idle, _) = make()
    idle.publish(service("idle"))
    idle.stop()
    for _ in 0..<50 {
      let (discovery, _) = make()
      discovery.publish(service("before"))
      try discovery.start()
      discovery.refresh()
      discovery.withdraw()
      discovery.publish(service("after"))
      discovery.stop()
      discovery.stop()
      discovery.publish(service("too late"))
    }
  }

  @Test("ends with its last reference")
  func release() throws {
    final class Token: Sendable {}
    weak var token: Token?
    do {
      let held = Token()
      token = held
      let discovery = ServiceDiscovery(interfaces: ["lo"], wants: { [held] _ in withExtendedLifetime(held) { false } })
      { _ in }
      try discovery.start()
    }
    #expect(token == nil, "the thread is still there")
  }

  @Test("reports other services until they are withdrawn, and not its own", .enabled(if: NetworkNamespace.isAllowed))
  func exchange() async throws {
    let team = "\(UInt64.random(in: 0 ... .max))"
    let (one, eventsOfOne) = make(team: team)
    let (other, eventsOfOther) = make(team: team)
    try one.start()
    try other.start()
    one.publish(service("one", team: team))
    other.publish(service("other", team: team))
    #expect(await eventsOfOne.first { _ in true }?.instance == "other")
    for await event in eventsOfOther {
      #expect(event.instance == "one")
      if case .lost = event { break }
      one.withdraw()
    }
    one.stop()
    other.stop()
  }

  @Test("can be stopped by an event", .enabled(if: NetworkNamespace.isAllowed))
  func stopByEvent() async throws {
    let team = "\(UInt64.random(in: 0 ... .max))"
    let (publisher, _) = make(team: team)
    try publisher.start()
    publisher.publish(service("one", team: team))
    let (stopped, continuation) = AsyncStream.makeStream(of: Void.self)
    let discovery = Mutex<ServiceDiscovery?>(nil)
    let browser = ServiceDiscovery(interfaces: ["lo"], wants: { $0["team"] == team }) { _ in
      discovery.withLock { $0 }?.stop()
      continuation.yield()
    }
    discovery.withLock { $0 = browser }
    try browser.start()
    for await _ in stopped { break }
    discovery.withLock { $0 = nil }
  }
}

extension DiscoveryEvent {
  fileprivate var instance: String {
    switch self {
    case .found(let service): service.instance
    case .lost(let instance): instance
    }
  }
}
