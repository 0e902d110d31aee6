import SystemSupport

/// What has been heard of services: bounded, and forgotten in time. Pure: messages and time in.
struct ServiceCache {
  /// How a message came.
  struct Origin {
    let sender: InternetAddress
    let interface: UInt32
    let isLoopback: Bool
    /// In answer to a one-shot question: its lifetimes are those for old resolvers and say nothing.
    let isOneShot: Bool
  }

  /// An instance that ``wants`` approved of, by interface.
  private(set) var instances: [DNSName: [UInt32: Sighting]] = [:]
  /// Instances of which something is missing yet.
  private(set) var fragments = FragmentTable()
  /// Something has changed since the owner looked.
  var isChanged = false
  /// Never kept.
  private var own: [DNSName] = []
  private let wants: ([String: String]) -> Bool

  static let mostInstances = 128
  /// One host that claims to be a crowd does not take the place of all others. Behind an mDNS reflector all have one
  /// address, so there must be room for some.
  static let mostPerSender = 32
  /// Believed of what a one-shot answer says: the lifetime that responders give host records.
  private static let oneShotLease = Duration.seconds(120)
  /// No longer than this without hearing anything, whatever a record says.
  private static let longestLease = Duration.seconds(4500)

  init(wants: @escaping ([String: String]) -> Bool) {
    self.wants = wants
  }

  mutating func ignore(_ instance: DNSName) {
    own = own.suffix(7) + [instance]
    forget(instance)
  }

  mutating func forget(interface: UInt32) {
    for name in instances.keys { instances[name]![interface] = nil }
    instances = instances.filter { !$0.value.isEmpty }
    fragments.remove(interface: interface)
    isChanged = true
  }

  private mutating func forget(_ name: DNSName) {
    if instances.removeValue(forKey: name) != nil { isChanged = true }
  }

  // MARK: - Messages

  mutating func receive(_ message: DNSMessage, from origin: Origin, now: Instant) {
    let records = message.answers + message.additionals
    for (name, draft) in drafts(in: records) where !own.contains(name) {
      apply(draft, to: name, origin, now)
    }
    for record in records {
      guard case .address(let address) = record.content else { continue }
      apply(address, of: record, origin, now)
    }
  }

  private func drafts(in records: [DNSRecord]) -> [DNSName: ServiceDraft] {
    var drafts: [DNSName: ServiceDraft] = [:]
    for record in records {
      switch record.content {
      case .pointer(let instance):
        guard record.name == ServiceName.type, instance.label(under: ServiceName.type) != nil else { continue }
        drafts[instance, default: .init()].pointerLifetime = record.lifetime
      case .service(let port, let host):
        guard record.name.label(under: ServiceName.type) != nil else { continue }
        drafts[record.name, default: .init()].service = (port, host, record.lifetime)
      case .text(let strings):
        guard record.name.label(under: ServiceName.type) != nil, record.lifetime > 0 else { continue }
        drafts[record.name, default: .init()].text = ServiceText.pairs(strings)
      case .address, .other: break
      }
    }
    return drafts
  }

  private mutating func apply(_ draft: ServiceDraft, to name: DNSName, _ origin: Origin, _ now: Instant) {
    let known = instances[name]?[origin.interface]
    if draft.isGoodbye {
      fragments.remove(name, interface: origin.interface)
      instances[name]?[origin.interface]?.end(now: now)
      return
    }
    // It may have been sent before the goodbye, and overtaken by that.
    if origin.isOneShot, known?.isEnding ?? false { return }
    if let text = draft.text, text != known?.text, !wants(text) {
      fragments.remove(name, interface: origin.interface)
      return forget(name)
    }
    if known == nil || draft.service != nil {
      let whole = fragments.completed(draft, text: known?.text, name, interface: origin.interface, now: now)
      guard let whole, let service = whole.service, let text = whole.text else { return }
      guard instances[name] != nil || hasRoom(for: origin.sender) else { return }
      let lifetime = min(.seconds(Int(min(service.lifetime, whole.pointerLifetime ?? .max))), Self.longestLease)
      var expires = now + (origin.isOneShot ? Self.oneShotLease : lifetime)
      if origin.isOneShot, let known { expires = max(expires, known.lease.expires) }
      let sighting = Sighting(
        sender: origin.sender, port: service.port, host: service.host, text: text,
        lease: .init(received: now, expires: expires))
      instances[name, default: [:]][origin.interface] = known?.renewed(as: sighting) ?? sighting
    } else if let text = draft.text {
      instances[name]?[origin.interface]?.text = text
    }
    if let lifetime = draft.pointerLifetime, !origin.isOneShot {
      let lease = Sighting.Lease(received: now, expires: now + .seconds(Int(lifetime)))
      instances[name]?[origin.interface]?.pointer = lease
    }
    isChanged = true
  }

  private func hasRoom(for sender: InternetAddress) -> Bool {
    guard instances.count < Self.mostInstances else { return false }
    return instances.values.count { $0.values.contains { $0.sender == sender } } < Self.mostPerSender
  }

  private mutating func apply(_ address: InternetAddress, of record: DNSRecord, _ origin: Origin, _ now: Instant) {
    guard let address = address.reachable(through: origin) else { return }
    for name in instances.keys {
      guard var sighting = instances[name]![origin.interface], sighting.host == record.name else { continue }
      if record.flushes { sighting.flush(address.family, now: now) }
      let lifetime = origin.isOneShot ? Self.oneShotLease : min(.seconds(Int(record.lifetime)), Self.longestLease)
      if record.lifetime == 0 {
        sighting.addresses[address]?.expires = now + .seconds(1)
      } else if sighting.addresses[address] != nil || sighting.addresses.count < Sighting.mostAddresses {
        sighting.addresses[address] = .init(received: now, expires: now + lifetime)
      }
      instances[name]![origin.interface] = sighting
      isChanged = true
    }
  }

  // MARK: - Time

  /// When ``expire(now:)`` has something to do next.
  var nextExpiry: Instant? {
    let leases = instances.values.lazy.flatMap(\.values).map { sighting in
      sighting.addresses.values.lazy.map(\.expires).reduce(sighting.lease.expires, min)
    }
    return leases.min()
  }

  mutating func expire(now: Instant) {
    fragments.expire(now: now)
    guard let next = nextExpiry, next <= now else { return }
    for (name, sightings) in instances {
      for (interface, var sighting) in sightings {
        sighting.addresses = sighting.addresses.filter { $0.value.expires > now }
        instances[name]![interface] = sighting.lease.expires > now ? sighting : nil
      }
      if instances[name]!.isEmpty { instances[name] = nil }
    }
    isChanged = true
  }

  // MARK: - What to ask

  /// When a lease on this interface has to be renewed.
  func refreshDue(interface: UInt32) -> Instant? {
    instances.values.lazy.compactMap { $0[interface]?.refreshDue }.min()
  }

  /// It has been asked for all instances. Returns those that need not answer: RFC 6762 section 7.1.
  mutating func noteQuery(interface: UInt32, now: Instant) -> [DNSRecord] {
    var known: [DNSRecord] = []
    for name in instances.keys {
      guard var sighting = instances[name]![interface] else { continue }
      sighting.noteRefresh(now: now)
      instances[name]![interface] = sighting
      let halfTime = sighting.lease.received + (sighting.lease.expires - sighting.lease.received) / 2
      guard let pointer = sighting.pointer, halfTime > now, !sighting.addresses.isEmpty else { continue }
      let left = max(0, (pointer.expires - now).components.seconds)
      known.append(DNSRecord(name: ServiceName.type, lifetime: UInt32(left), content: .pointer(name)))
    }
    return known
  }

  /// When ``takeFollowUps(interface:now:)`` has something to ask next.
  func followUpDue(interface: UInt32) -> Instant? {
    let addresses = instances.values.lazy.compactMap { $0[interface]?.addressQuestionDue }.min()
    return [fragments.nextQuestion(interface: interface), addresses].compactMap { $0 }.min()
  }

  /// The next questions for what is missing on this interface, not more than fit into a packet.
  mutating func takeFollowUps(interface: UInt32, now: Instant) -> [DNSQuestion] {
    var questions = fragments.takeQuestions(interface: interface, now: now)
    for name in instances.keys where questions.count < FragmentTable.mostQuestions {
      guard let sighting = instances[name]![interface], let due = sighting.addressQuestionDue, due <= now else {
        continue
      }
      instances[name]![interface]!.addressQuestion.note(now: now)
      questions += [DNSType.a, DNSType.aaaa].map { DNSQuestion(name: sighting.host, type: $0) }
    }
    return questions
  }
}

extension InternetAddress {
  /// The address as it is dialled, if what came this way may name it: of the local network, and the host's own ones only
  /// by the host itself (or a stranger could have us knock at our own doors).
  fileprivate func reachable(through origin: ServiceCache.Origin) -> InternetAddress? {
    guard isLocalNetwork, embedded == nil, !isLoopback || origin.isLoopback else { return nil }
    return InternetAddress(bytes: bytes, scope: origin.interface)
  }
}
