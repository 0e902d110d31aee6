import Glibc
import SystemPackage
import SystemSupport

/// What the thread of ``ServiceDiscovery`` does: brings packets and time to the responder and the browser, and what
/// they say to the network. Used by that thread only.
final class DiscoveryLoop {
  enum Command: Sendable {
    case publish(PublishedService)
    case withdraw
    case refresh
  }

  private let interfaceNames: [String]
  private let onEvent: (DiscoveryEvent) -> Void
  private let watch = InterfaceWatch()
  private var links: [Link: LinkSockets] = [:]
  private var responder = Responder()
  private var browser: Browser
  private var nextScan = Instant.now
  private var intake = IntakeLimit()
  /// Processor time that has been counted.
  private var charged = Duration.zero
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: DNSMessage.longest, alignment: 8)

  /// How often to look at the interfaces and for a port that was taken, besides when the system tells of a change.
  private static let scanInterval = Duration.seconds(5)
  /// A change of an interface comes as several messages.
  private static let scanDelay = Duration.milliseconds(20)
  /// How many packets of a socket are read before time is looked at.
  private static let burst = 64

  init(
    interfaces: [String], wants: @escaping ([String: String]) -> Bool, onEvent: @escaping (DiscoveryEvent) -> Void
  ) {
    interfaceNames = interfaces
    self.onEvent = onEvent
    browser = Browser(wants: wants)
  }

  deinit {
    buffer.deallocate()
  }

  /// Runs until `takeCommands` returns nil. Says goodbye at the end.
  func run(wakeup: Wakeup, takeCommands: () -> [Command]?) {
    scan(.now)
    ask(.now)
    charged = Self.processorTime
    while let commands = takeCommands() {
      for command in commands { perform(command, .now) }
      let now = Instant.now
      if nextScan <= now { scan(now) }
      ask(now)
      send(responder.takeDue(now: now))
      browser.takeEvents(now: now).forEach(onEvent)
      wait(wakeup)
    }
    send(responder.withdraw())
  }

  private func perform(_ command: Command, _ now: Instant) {
    switch command {
    case .publish(let service):
      browser.ignore(instance: service.instance)
      send(responder.publish(service, now: now))
    case .withdraw: send(responder.withdraw())
    case .refresh: browser.refresh()
    }
  }

  private func ask(_ now: Instant) {
    for (interface, message) in browser.takeQueries(now: now) {
      for sockets in links.values where sockets.link.interface == interface { sockets.ask(message) }
    }
  }

  private func send(_ packets: [Outgoing]) {
    for packet in packets { links[packet.link]?.send(packet) }
  }

  // MARK: - Interfaces

  /// Takes up the interfaces that have come, drops those that have gone, and begins anew on those that have changed.
  private func scan(_ now: Instant) {
    nextScan = now + Self.scanInterval
    let current = NetworkInterface.current(named: interfaceNames)
    for (link, sockets) in links where !current.contains(sockets.interface) {
      links[link] = nil
      responder.remove(link)
      if !current.contains(where: { $0.index == link.interface }) { browser.remove(interface: link.interface) }
    }
    for interface in current {
      for family in Set(interface.addresses.map(\.family)) {
        let link = Link(interface: interface.index, family: family)
        let sockets = links[link] ?? LinkSockets(link: link, interface: interface)
        guard sockets.open() else { continue }
        links[link] = sockets
        responder.add(link, addresses: interface.addresses.filter(\.isLocalNetwork), now: now)
        browser.add(interface: interface.index, now: now)
      }
    }
  }

  // MARK: - Packets

  private func wait(_ wakeup: Wakeup) {
    charge()
    let pauseEnd = intake.pauseEnd(now: .now)
    // One-shot answers first: they may be older than a goodbye that has come since.
    let sockets = pauseEnd == nil ? links.values.compactMap(\.asking) + links.values.compactMap(\.joined) : []
    let descriptors = [wakeup.readable] + (watch.map { [$0.descriptor] } ?? []) + sockets.map(\.descriptor)
    var requests = descriptors.map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
    let due = [nextScan, responder.nextDue, browser.nextDue, pauseEnd].compactMap { $0 }.min() ?? nextScan
    guard poll(&requests, nfds_t(requests.count), Self.milliseconds(until: due)) > 0 else { return }
    if requests[0].revents != 0 { wakeup.drain() }
    if let watch, requests[1].revents != 0 {
      watch.drain()
      nextScan = min(nextScan, .now + Self.scanDelay)
    }
    for (socket, request) in zip(sockets, requests.suffix(sockets.count)) where request.revents != 0 {
      read(socket, share: IntakeLimit.budget / sockets.count)
    }
  }

  /// Rounded up, so that something is due when `poll` returns.
  private static func milliseconds(until due: Instant) -> CInt {
    let left = due - .now
    guard left > .zero else { return 0 }
    return CInt(min(left / .milliseconds(1), 60_000).rounded(.up))
  }

  /// - Parameter share: of processor time, so that no interface keeps the others from being heard: each is read once at
  ///   least.
  private func read(_ socket: MulticastSocket, share: Duration) {
    guard let sockets = links[socket.link] else { return }
    let end = charged + share
    for number in 0..<Self.burst {
      guard number == 0 || (intake.pauseEnd(now: .now) == nil && charged < end) else { return }
      defer { charge() }
      do {
        guard let packet = try socket.receive(into: buffer) else { return }
        guard let message = DNSMessage(packet: packet.bytes) else { continue }
        handle(message, of: packet, on: socket, sockets)
      } catch {
        // The interface has gone, most likely.
        nextScan = min(nextScan, .now + Self.scanDelay)
        return
      }
    }
  }

  /// Counts what this thread has taken since the last time as the cost of packets: what follows from one may take longer
  /// than to read it.
  private func charge() {
    let now = Self.processorTime
    intake.spend(now - charged, now: .now)
    charged = now
  }

  /// What this thread has taken so far. (Not the time that has passed: on a busy machine nothing would be found.)
  private static var processorTime: Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
  }

  private func handle(
    _ message: DNSMessage, of packet: MulticastSocket.Packet, on socket: MulticastSocket, _ sockets: LinkSockets
  ) {
    let now = Instant.now
    let isJoined = socket === sockets.joined
    if message.isResponse {
      // RFC 6762 section 6: answers from other ports are not answers.
      guard isJoined ? packet.port == MulticastGroup.port : sockets.isAnswer(message, fromPort: packet.port) else {
        return
      }
      let origin = ServiceCache.Origin(
        sender: packet.sender, interface: socket.link.interface, isLoopback: sockets.interface.isLoopback,
        isOneShot: !isJoined)
      browser.receive(message, from: origin, now: now)
    } else if isJoined, packet.sender.isLocalNetwork, !sockets.isOwnQuery(message, from: packet.sender) {
      let answer = responder.receive(message, from: packet.sender, port: packet.port, on: socket.link, now: now)
      if let answer { send([answer]) }
    }
  }
}
