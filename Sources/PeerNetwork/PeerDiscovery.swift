import DesktopBus
import Discovery
import NIOCore
import Synchronization
import SystemSupport

/// Finds the team's servers on the local network, and lets them find this one: asks by multicast DNS, and publishes by
/// Avahi where its daemon runs, else answers itself.
final class PeerDiscovery: Sendable {
  enum Change: Sendable {
    case found(PeerEndpoint)
    case lost(PeerEndpoint)
  }

  /// Addresses of one server that are tried.
  private static let mostAddresses = 4

  private struct State {
    var port: UInt16 = 0
    var tag = ""
    var publisher: AvahiPublisher?
    /// Where each instance was found.
    var endpoints: [String: [PeerEndpoint]] = [:]
    var isStopped = false
  }

  private let member: TeamMember
  private let interfaces: [String]
  private let board: StatusBoard
  private let onChange: @Sendable (Change) -> Void
  private let state = Mutex(State())
  private let services: ServiceDiscovery

  /// - Parameter onChange: called on threads of the discovery.
  init(
    member: TeamMember, interfaces: [String], board: StatusBoard, onChange: @escaping @Sendable (Change) -> Void
  ) {
    self.member = member
    self.interfaces = interfaces
    self.board = board
    self.onChange = onChange
    let relay = EventRelay()
    services = ServiceDiscovery(
      interfaces: interfaces, wants: { [member] in member.isTeammate($0) }, onEvent: { relay.send($0) })
    relay.connect { [weak self] in self?.handle($0) }
  }

  /// Begins to look for others, and to be found.
  ///
  /// - Parameter port: where this server listens; 0: it does not, and is not published.
  func start(port: UInt16) {
    do {
      try services.start()
    } catch {
      board.add(problem: "no discovery: \(error)")
    }
    state.withLock { $0.port = port }
    if port > 0 { publish() } else { board.set("discovery", "not announced") }
  }

  /// Asks again now.
  func refresh() {
    services.refresh()
  }

  /// Publishes anew when the team's tag has changed, which it does every day.
  func renew() {
    let isDue = state.withLock { $0.port > 0 && !$0.isStopped && $0.tag != member.announcementTag }
    if isDue { publish() }
  }

  private func publish() {
    let tag = member.announcementTag
    let text = ["v": "1", "id": member.instance, "team": tag]
    let port = state.withLock { state in
      state.tag = tag
      return state.port
    }
    // Where Avahi does not publish, we answer ourselves; under another name, so that our goodbye is not taken for its.
    let publisher = AvahiPublisher(
      AdvertisedService(instance: "\(member.instance)-avahi", type: "_fabrik._tcp", port: port, text: text),
      interfaces: interfaces
    ) { [services, board, member] change in
      switch change {
      case .published:
        services.withdraw()
        board.set("discovery", "avahi")
        board.set("discovery.avahi", nil)
      case .unavailable(let reason):
        services.publish(PublishedService(instance: member.instance, port: port, text: text))
        board.set("discovery", "own responder")
        board.set("discovery.avahi", reason)
      }
    }
    let (isStopped, old) = state.withLock { state in
      defer { if !state.isStopped { state.publisher = publisher } }
      return (state.isStopped, state.publisher)
    }
    old?.stop()
    if !isStopped { publisher.start() }
  }

  private func handle(_ event: DiscoveryEvent) {
    switch event {
    case .found(let service):
      let endpoints = service.addresses.prefix(Self.mostAddresses).compactMap { PeerEndpoint($0, port: service.port) }
      let old = state.withLock { state in
        defer { state.endpoints[service.instance] = endpoints }
        return state.endpoints[service.instance] ?? []
      }
      lose(old.filter { !endpoints.contains($0) })
      for endpoint in endpoints where !old.contains(endpoint) { onChange(.found(endpoint)) }
    case .lost(let instance):
      lose(state.withLock { $0.endpoints.removeValue(forKey: instance) } ?? [])
    }
  }

  /// Reports what no service has any more: one server may be announced under two names.
  private func lose(_ endpoints: [PeerEndpoint]) {
    let left = Set(state.withLock { $0.endpoints.values.flatMap { $0 } })
    for endpoint in endpoints where !left.contains(endpoint) { onChange(.lost(endpoint)) }
  }

  /// Says goodbye. Blocks for a moment, at most a few seconds when Avahi hangs.
  func stop() {
    let publisher = state.withLock { state in
      state.isStopped = true
      defer { state.publisher = nil }
      return state.publisher
    }
    services.stop()
    publisher?.stop()
  }
}

/// Passes events on to somebody who is not there yet when it is made.
private final class EventRelay: Sendable {
  /// Not the closure itself, which would be wrapped in one more thunk each time it is taken out.
  private struct Receiver: Sendable {
    let body: @Sendable (DiscoveryEvent) -> Void
  }

  private let receiver = Mutex<Receiver?>(nil)

  func connect(_ body: @escaping @Sendable (DiscoveryEvent) -> Void) {
    receiver.withLock { $0 = Receiver(body: body) }
  }

  func send(_ event: DiscoveryEvent) {
    receiver.withLock { $0 }?.body(event)
  }
}
