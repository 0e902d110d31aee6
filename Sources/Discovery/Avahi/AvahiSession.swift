import DesktopBus
import Glibc

/// One connection to the system bus and the avahi-daemons that come and go on it. When the connection is closed, the
/// daemon withdraws what was published over it.
final class AvahiSession {
  static let avahi = "org.freedesktop.Avahi"
  static let server = "org.freedesktop.Avahi.Server"
  static let entryGroup = "org.freedesktop.Avahi.EntryGroup"
  /// How often a daemon is asked whether it is alive: one that is stopped sends no news of it.
  private static let heartbeat = Duration.seconds(30)
  /// How often interfaces that were named are looked for: they come and go, and may come back under another number.
  private static let interfaceCheck = Duration.seconds(5)
  /// Seconds a vanished machine's service stays known to others. Two minutes, as is usual for what names a host.
  private static let timeToLive: UInt32 = 120

  /// The states of an entry group.
  private enum GroupState: Int32 {
    case uncommitted = 0
    case registering, established, collision, failure
  }

  private let bus: BusConnection
  private let service: PublishedService
  private let interfaces: [String]
  private let onChange: (AvahiPublisher.State) -> Void

  /// What is published, or about to be.
  private struct Publication {
    let owner: String
    let group: String
    let host: String
    let indexes: [Int32]
  }

  init(
    bus: BusConnection, service: PublishedService, interfaces: [String],
    onChange: @escaping (AvahiPublisher.State) -> Void
  ) {
    self.bus = bus
    self.service = service
    self.interfaces = interfaces
    self.onChange = onChange
  }

  /// Publishes whenever there is a daemon. Returns why the session cannot go on: interrupted, no bus, or a daemon that
  /// does not answer.
  func run() -> BusFailure {
    do throws(BusFailure) {
      try bus.watchOwner(of: Self.avahi)
      try bus.addMatch("type='signal',sender='\(Self.avahi)'")
      while true {
        do throws(BusFailure) {
          try publishOnce()
        } catch .refused(let name, let text) {
          onChange(.unavailable("avahi-daemon refuses: \(BusFailure.refused(name: name, text: text))"))
          try waitForAnotherDaemon()
        } catch .unavailable(let reason) {
          onChange(.unavailable(reason))
          try waitForAnotherDaemon()
        }
      }
    } catch {
      return error
    }
  }

  /// Publishes and keeps it so until the daemon, its host name or an interface has changed.
  private func publishOnce() throws(BusFailure) {
    guard let owner = try bus.owner(of: Self.avahi) else { throw .unavailable("avahi-daemon is not running") }
    let indexes = currentIndexes()
    guard interfaces.isEmpty || !indexes.isEmpty else {
      throw .unavailable("there is no interface \(interfaces.joined(separator: ", "))")
    }
    guard let host = try bus.call(server("GetHostNameFqdn", of: owner)).first?.string,
      let records = AvahiRecord.all(of: service, host: host),
      let group = try bus.call(server("EntryGroupNew", of: owner)).first?.path
    else { throw .unavailable("avahi-daemon answers nonsense") }
    let publication = Publication(owner: owner, group: group, host: host, indexes: indexes)
    do throws(BusFailure) {
      for record in records {
        for index in indexes.isEmpty ? [-1] : indexes { try add(record, on: index, to: publication) }
      }
      try bus.call(entryGroup("Commit", publication))
      try keep(publication)
    } catch {
      withdraw(publication)
      throw error
    }
    withdraw(publication)
  }

  /// Returns when all has to be published anew.
  private func keep(_ publication: Publication) throws(BusFailure) {
    let pause = interfaces.isEmpty ? Self.heartbeat : Self.interfaceCheck
    var nextHeartbeat = Deadline.after(Self.heartbeat)
    while true {
      if let message = try bus.next(within: pause) {
        if message.isOwnerChange(of: Self.avahi, from: publication.owner) { return }
        guard message.sender == publication.owner else { continue }
        if message.isSignal("StateChanged", of: Self.entryGroup), message.path == publication.group {
          try handle(message.arguments.first?.int32)
        } else if message.isSignal("StateChanged", of: Self.server), try hasOtherHostName(publication) {
          return
        }
      } else if currentIndexes() != publication.indexes {
        return
      }
      if nextHeartbeat.isOver {
        try handle(bus.call(entryGroup("GetState", publication)).first?.int32)
        nextHeartbeat = .after(Self.heartbeat)
      }
    }
  }

  private func handle(_ state: Int32?) throws(BusFailure) {
    switch state.flatMap(GroupState.init) {
    case .established: onChange(.published)
    case .collision: throw .unavailable("another machine has a service of this name")
    case .failure: throw .unavailable("avahi-daemon cannot publish the service")
    case .uncommitted, .registering, nil: break
    }
  }

  /// Avahi takes another host name when somebody else has its own.
  private func hasOtherHostName(_ publication: Publication) throws(BusFailure) -> Bool {
    let host = try bus.call(server("GetHostNameFqdn", of: publication.owner)).first?.string
    return host != nil && host != publication.host
  }

  /// Waits for news of the daemon, at most a minute: what it refuses may be allowed later.
  private func waitForAnotherDaemon() throws(BusFailure) {
    let deadline = Deadline.after(interfaces.isEmpty ? .seconds(60) : Self.interfaceCheck)
    while let message = try bus.next(until: deadline), !message.isOwnerChange(of: Self.avahi) {}
  }

  private func add(_ record: AvahiRecord, on interface: Int32, to publication: Publication) throws(BusFailure) {
    // 3: AVAHI_PUBLISH_UNIQUE and AVAHI_PUBLISH_NO_PROBE. Protocol -1: IPv4 and IPv6. Class 1: the Internet's.
    try bus.call(
      entryGroup(
        "AddRecord", publication,
        [
          .int32(interface), .int32(-1), .uint32(record.isUnique ? 3 : 0), .string(record.name), .uint16(1),
          .uint16(record.type), .uint32(Self.timeToLive), .bytes(record.data),
        ]))
  }

  /// Sent without waiting: when the daemon is gone or hangs, the end of the connection does the same.
  private func withdraw(_ publication: Publication) {
    try? bus.send(entryGroup("Free", publication))
    bus.flush()
  }

  /// The numbers of the interfaces that were named and are there now.
  private func currentIndexes() -> [Int32] {
    interfaces.compactMap { Int32(exactly: if_nametoindex($0)) }.filter { $0 > 0 }
  }

  private func server(_ member: String, of owner: String) -> BusMessage {
    .call(member, of: Self.server, at: "/", to: owner)
  }

  private func entryGroup(_ member: String, _ publication: Publication, _ arguments: [BusValue] = []) -> BusMessage {
    .call(member, of: Self.entryGroup, at: publication.group, to: publication.owner, arguments)
  }
}
