import SystemSupport

/// What one interface tells of one instance.
struct Sighting {
  /// How long something is believed.
  struct Lease {
    var received: Instant
    var expires: Instant
  }

  /// Who told.
  let sender: InternetAddress
  let port: UInt16
  let host: DNSName
  var text: [String: String]
  var lease: Lease
  /// Until when the instance's own pointer holds, as far as known; not asked for while that is long.
  var pointer: Lease?
  var addresses: [InternetAddress: Lease] = [:]
  /// Asked while there is no address.
  var addressQuestion: FollowUp
  /// It has said goodbye.
  private(set) var isEnding = false
  /// How many of ``refreshPoints`` have passed.
  private var refreshes = 0

  /// More addresses than a host has on one network.
  static let mostAddresses = 16
  /// After which share of a lease to ask again: RFC 6762 section 5.2.
  private static let refreshPoints = [0.8, 0.9, 0.95]

  init(sender: InternetAddress, port: UInt16, host: DNSName, text: [String: String], lease: Lease) {
    self.sender = sender
    self.port = port
    self.host = host
    self.text = text
    self.lease = lease
    addressQuestion = FollowUp(now: lease.received)
  }

  var addressQuestionDue: Instant? { addresses.isEmpty ? addressQuestion.due : nil }

  /// When to ask whether it is still there; nil when it has been asked often enough.
  var refreshDue: Instant? {
    guard refreshes < Self.refreshPoints.count else { return nil }
    return lease.received + (lease.expires - lease.received) * Self.refreshPoints[refreshes]
  }

  /// It has been asked.
  mutating func noteRefresh(now: Instant) {
    while let due = refreshDue, due <= now { refreshes += 1 }
  }

  /// Goes on as the renewed one, with what that does not say.
  func renewed(as other: Sighting) -> Sighting {
    var result = other
    result.pointer = other.pointer ?? pointer
    if other.host == host { result.addresses = addresses }
    return result
  }

  /// Says goodbye: RFC 6762 section 10.1 leaves a second for somebody to object.
  mutating func end(now: Instant) {
    lease.expires = min(lease.expires, now + .seconds(1))
    isEnding = true
    refreshes = Self.refreshPoints.count
  }

  /// Addresses of a kind that all have been told anew: older ones go, after the second of RFC 6762 section 10.2.
  mutating func flush(_ family: InternetAddress.Family, now: Instant) {
    for (address, lease) in addresses where address.family == family && now - lease.received > .seconds(1) {
      addresses[address]!.expires = min(lease.expires, now + .seconds(1))
    }
  }
}
