import Discovery
import Synchronization
import SystemSupport

/// Finds the team's servers on the local network, and lets them find this one: asks by multicast DNS, and publishes by
/// Avahi where its daemon runs, else answers itself.
final class PeerDiscovery: Sendable {
  private struct State {
    var port: UInt16 = 0
    var tag = ""
    var publisher: AvahiPublisher?
    var isStopped = false
  }

  private let member: TeamMember
  private let interfaces: [String]
  private let status: StatusFields
  private let state = Mutex(State())
  private let services: ServiceDiscovery

  /// - Parameter onChange: called on threads of the discovery.
  init(
    member: TeamMember, interfaces: [String], status: StatusFields,
    onChange: @escaping @Sendable (FoundEndpoints.Change) -> Void
  ) {
    self.member = member
    self.interfaces = interfaces
    self.status = status
    let found = FoundEndpoints(onChange: onChange)
    services = ServiceDiscovery(
      interfaces: interfaces, wants: { [member] in member.isTeammate($0) }, onEvent: { found.handle($0) })
  }

  /// Begins to look for others, and to be found.
  ///
  /// - Parameter port: where this server listens; 0: it does not, and is not published.
  func start(port: UInt16) {
    do {
      try services.start()
    } catch {
      status.add(problem: "no discovery: \(error)")
    }
    state.withLock { $0.port = port }
    if port > 0 { publish() } else { status.set("discovery", "not announced") }
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
      PublishedService(instance: "\(member.instance)-avahi", port: port, text: text),
      interfaces: interfaces
    ) { [services, status, member] change in
      switch change {
      case .published:
        services.withdraw()
        status.set("discovery", "avahi")
        status.set("discovery.avahi", nil)
      case .unavailable(let reason):
        services.publish(PublishedService(instance: member.instance, port: port, text: text))
        status.set("discovery", "own responder")
        status.set("discovery.avahi", reason)
      }
    }
    let (isStopped, old) = state.withLock { state in
      defer { if !state.isStopped { state.publisher = publisher } }
      return (state.isStopped, state.publisher)
    }
    old?.stop()
    if !isStopped { publisher.start() }
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
