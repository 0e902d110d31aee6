import SystemSupport

/// Looks for services: when to ask what, what to keep, what to report. Pure: messages and time in, questions and events
/// out.
struct Browser {
  /// When an interface is asked.
  private struct Asking {
    let since: Instant
    var count = 0
    var last: Instant?
    var lastFollowUp: Instant?
    var isRequested = false

    /// The schedule: often while a build begins, then now and then. After its end, the last pause again and again.
    private static let times = [0, 1, 3, 9, 27, 60].map { Duration.seconds($0) }
    private static let pause = Duration.seconds(60)

    var next: Instant {
      let times = Self.times
      if count < times.count { return since + times[count] }
      return since + times[times.count - 1] + Self.pause * (count - times.count + 1)
    }
  }

  private struct Report {
    var service: DiscoveredService
    var time: Instant
  }

  private var cache: ServiceCache
  private var askings: [UInt32: Asking] = [:]
  private var reports: [DNSName: Report] = [:]
  private var reportDue: Instant?

  /// The same question is not asked more often: RFC 6762 section 5.2.
  private static let shortestPause = Duration.seconds(1)
  /// However much is missing.
  private static let followUpPause = Duration.milliseconds(200)
  /// News about a service that has been reported are gathered for this time.
  private static let reportPause = Duration.milliseconds(50)
  /// Known answers that fit into a packet that no network cuts in two; the others are told again.
  private static let mostKnownAnswers = 32

  init(wants: @escaping ([String: String]) -> Bool) {
    cache = ServiceCache(wants: wants)
  }

  /// Forgets this instance and never reports it.
  mutating func ignore(instance: String) {
    cache.ignore(ServiceName.instance(instance))
  }

  /// How many instances and parts of instances are remembered.
  var kept: Int { cache.instances.count + cache.fragments.count }

  // MARK: - Interfaces

  /// An interface has come up or has changed: it is asked at once.
  mutating func add(interface: UInt32, now: Instant) {
    askings[interface] = Asking(since: now)
  }

  mutating func remove(interface: UInt32) {
    askings[interface] = nil
    cache.forget(interface: interface)
  }

  /// Asks again now, or a second after the last time.
  mutating func refresh() {
    for interface in askings.keys { askings[interface]!.isRequested = true }
  }

  // MARK: - Messages

  mutating func receive(_ message: DNSMessage, from origin: ServiceCache.Origin, now: Instant) {
    guard message.isResponse, askings[origin.interface] != nil else { return }
    cache.receive(message, from: origin, now: now)
  }

  // MARK: - Time

  /// When ``takeQueries(now:)`` or ``takeEvents(now:)`` has something to do next.
  var nextDue: Instant? {
    let queries = askings.flatMap { interface, asking in
      [queryDue(interface, asking), followUpDue(interface, asking)]
    }
    return (queries + [cache.nextExpiry, reportDue]).compactMap { $0 }.min()
  }

  private func queryDue(_ interface: UInt32, _ asking: Asking) -> Instant {
    let refresh = asking.isRequested ? asking.since : cache.refreshDue(interface: interface)
    guard let last = asking.last, let refresh else { return asking.next }
    return min(asking.next, max(refresh, last + Self.shortestPause))
  }

  private func followUpDue(_ interface: UInt32, _ asking: Asking) -> Instant? {
    guard let due = cache.followUpDue(interface: interface) else { return nil }
    return asking.lastFollowUp.map { max(due, $0 + Self.followUpPause) } ?? due
  }

  /// The questions to ask now, by interface.
  mutating func takeQueries(now: Instant) -> [(interface: UInt32, message: DNSMessage)] {
    var queries: [(interface: UInt32, message: DNSMessage)] = []
    for (interface, asking) in askings {
      if queryDue(interface, asking) <= now {
        while askings[interface]!.next <= now { askings[interface]!.count += 1 }
        askings[interface]!.last = now
        askings[interface]!.isRequested = false
        let known = cache.noteQuery(interface: interface, now: now)
        let question = DNSQuestion(name: ServiceName.type, type: DNSType.ptr)
        queries.append(
          (interface, DNSMessage(questions: [question], answers: Array(known.prefix(Self.mostKnownAnswers)))))
      }
      if let due = followUpDue(interface, asking), due <= now {
        askings[interface]!.lastFollowUp = now
        let questions = cache.takeFollowUps(interface: interface, now: now)
        if !questions.isEmpty { queries.append((interface, DNSMessage(questions: questions))) }
      }
    }
    return queries
  }

  /// What has changed since the last call.
  mutating func takeEvents(now: Instant) -> [DiscoveryEvent] {
    cache.expire(now: now)
    guard cache.isChanged || reportDue.map({ $0 <= now }) ?? false else { return [] }
    cache.isChanged = false
    reportDue = nil
    var events: [DiscoveryEvent] = []
    for (name, report) in reports where cache.service(name) == nil {
      reports[name] = nil
      events.append(.lost(instance: report.service.instance))
    }
    for name in cache.instances.keys {
      guard let service = cache.service(name), service != reports[name]?.service else { continue }
      if let last = reports[name]?.time, now < last + Self.reportPause {
        reportDue = min(reportDue ?? last + Self.reportPause, last + Self.reportPause)
        continue
      }
      reports[name] = Report(service: service, time: now)
      events.append(.found(service))
    }
    return events
  }
}

extension ServiceCache {
  /// All that is known of an instance, of all interfaces; nil while something is missing.
  func service(_ name: DNSName) -> DiscoveredService? {
    guard let sightings = instances[name],
      let label = name.label(under: ServiceName.type).flatMap({ String(validating: $0, as: UTF8.self) })
    else { return nil }
    // Where interfaces disagree, the one that was heard last is right.
    let latest = sightings.values.max { ($0.lease.received, $0.port) < ($1.lease.received, $1.port) }
    guard let latest else { return nil }
    let addresses = Set(sightings.values.filter { $0.port == latest.port }.flatMap(\.addresses.keys))
    guard !addresses.isEmpty else { return nil }
    return DiscoveredService(
      instance: label, port: latest.port, addresses: addresses.sorted(by: Self.isBetter), text: latest.text)
  }

  private static func isBetter(_ left: InternetAddress, _ right: InternetAddress) -> Bool {
    func rank(_ address: InternetAddress) -> Int {
      switch address.family {
      case .ipv4: address.isLoopback ? 0 : 2
      case .ipv6: address.isLoopback ? 1 : address.needsScope ? 4 : 3
      }
    }
    if rank(left) != rank(right) { return rank(left) < rank(right) }
    return left.bytes != right.bytes ? left.bytes.lexicographicallyPrecedes(right.bytes) : left.scope < right.scope
  }
}
