import SystemSupport

/// Answers for the published service: announcements, answers at the time they are due, goodbyes. Pure: packets and time
/// in, packets out. At most one packet goes out for each that comes in.
struct Responder {
  /// An answer on its way to the group.
  private struct Pending {
    var parts: ServiceRecords.Parts
    var due: Instant
    /// The only one who asked; nil when there were several.
    var asker: InternetAddress?
  }

  private struct LinkState {
    let addresses: [InternetAddress]
    var announcements: [Instant] = []
    var pending: Pending?
    var lastMulticast: Instant?
  }

  /// How the waiting times of RFC 6762 sections 6 and 7.2 are drawn; several hosts must not answer at once.
  typealias Jitter = @Sendable (ClosedRange<Int>) -> Int

  private var service: PublishedService?
  private var links: [Link: LinkState] = [:]
  private var oneShotBudget = TokenBucket(capacity: 200, perSecond: 100)
  private let jitter: Jitter

  /// A record is not multicast more often.
  private static let multicastInterval = Duration.seconds(1)
  /// Announcements, from the publication on: RFC 6762 section 8.3 demands two.
  private static let announcementTimes = [Duration.zero, .seconds(1)]

  init(jitter: @escaping Jitter = { Int.random(in: $0) }) {
    self.jitter = jitter
  }

  // MARK: - What there is to say

  /// Begins to announce and to answer; an instance published before is taken back.
  mutating func publish(_ service: PublishedService, now: Instant) -> [Outgoing] {
    let goodbyes = self.service?.instance == service.instance ? [] : withdraw()
    self.service = service
    for link in links.keys { announce(on: link, now: now) }
    return goodbyes
  }

  /// Stops answering. Returns the goodbyes.
  mutating func withdraw() -> [Outgoing] {
    defer {
      service = nil
      for link in links.keys {
        links[link]!.announcements = []
        links[link]!.pending = nil
      }
    }
    return links.compactMap { link, state in
      records(on: link).map { records in
        Outgoing(
          link: link, destination: .group, message: records.message([.pointer, .service, .text], lifetime: 0))
      }
    }
  }

  /// A link has come up, or has other addresses now.
  mutating func add(_ link: Link, addresses: [InternetAddress], now: Instant) {
    links[link] = LinkState(addresses: addresses)
    if service != nil { announce(on: link, now: now) }
  }

  mutating func remove(_ link: Link) {
    links[link] = nil
  }

  private mutating func announce(on link: Link, now: Instant) {
    links[link]!.announcements = Self.announcementTimes.map { now + $0 }
  }

  // MARK: - Questions

  /// Looks at a question. Returns what is to be sent at once.
  mutating func receive(
    _ query: DNSMessage, from asker: InternetAddress, port: UInt16, on link: Link, now: Instant
  ) -> Outgoing? {
    guard !query.isResponse, let records = records(on: link) else { return nil }
    let known = records.known(in: query.answers)
    if query.questions.isEmpty {
      // The rest of what the asker knows: RFC 6762 section 7.2.
      if links[link]?.pending?.asker == asker { suppress(known, on: link) }
      return nil
    }
    let parts = query.questions.reduce(into: ServiceRecords.Parts()) { $0.formUnion(records.parts(for: $1)) }
      .subtracting(known)
    guard !parts.isEmpty else { return nil }
    guard port == MulticastGroup.port else {
      guard oneShotBudget.take(now: now) else { return nil }
      return Outgoing(
        link: link, destination: .host(asker, port: port), message: records.oneShotMessage(parts, to: query))
    }
    schedule(parts, for: asker, moreFollows: query.isTruncated, on: link, now: now)
    return nil
  }

  private mutating func schedule(
    _ parts: ServiceRecords.Parts, for asker: InternetAddress, moreFollows: Bool, on link: Link, now: Instant
  ) {
    let wait = moreFollows ? 400...500 : parts.isDisjoint(with: .shared) ? 0...0 : 20...120
    var due = now + .milliseconds(jitter(wait))
    // Who asks within a second of an answer may have come after it: it is put off, not dropped.
    if let last = links[link]?.lastMulticast { due = max(due, last + Self.multicastInterval) }
    if var pending = links[link]?.pending {
      pending.parts.formUnion(parts)
      if !moreFollows { pending.due = min(pending.due, due) }
      if pending.asker != asker { pending.asker = nil }
      links[link]!.pending = pending
    } else {
      links[link]!.pending = Pending(parts: parts, due: due, asker: asker)
    }
  }

  private mutating func suppress(_ known: ServiceRecords.Parts, on link: Link) {
    guard var pending = links[link]?.pending else { return }
    pending.parts.subtract(known)
    links[link]!.pending = pending.parts.isEmpty ? nil : pending
  }

  private func records(on link: Link) -> ServiceRecords? {
    guard let service, let state = links[link], !state.addresses.isEmpty else { return nil }
    return ServiceRecords(service: service, addresses: state.addresses)
  }

  // MARK: - Time

  /// When ``takeDue(now:)`` has something to do next.
  var nextDue: Instant? {
    links.values.lazy.flatMap { $0.announcements + ($0.pending.map { [$0.due] } ?? []) }.min()
  }

  /// What is to be sent now.
  mutating func takeDue(now: Instant) -> [Outgoing] {
    var packets: [Outgoing] = []
    for (link, state) in links {
      let announces = state.announcements.contains { $0 <= now }
      let answers = state.pending.map { $0.due <= now } ?? false
      guard announces || answers else { continue }
      links[link]!.announcements.removeAll { $0 <= now }
      links[link]!.pending = nil
      links[link]!.lastMulticast = now
      guard let records = records(on: link) else { continue }
      var parts = state.pending?.parts ?? []
      if announces { parts.formUnion([.pointer, .service, .text, .addresses]) }
      packets.append(Outgoing(link: link, destination: .group, message: records.message(parts)))
    }
    return packets
  }
}
