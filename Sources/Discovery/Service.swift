package import SystemSupport

/// A service that others have published: one instance, with all that is known of it on all interfaces.
package struct DiscoveredService: Sendable, Equatable {
  /// The DNS-SD instance label, as its publisher wrote it.
  package let instance: String
  package let port: UInt16
  /// Where to reach it, the best first: loopback, IPv4, IPv6. Addresses of the local network only; never empty.
  package let addresses: [InternetAddress]
  package let text: [String: String]
}

/// What has changed on the network.
package enum DiscoveryEvent: Sendable, Equatable {
  /// A service is there, or there is something new about it.
  case found(DiscoveredService)
  case lost(instance: String)
}

/// A service for others to find.
package struct PublishedService: Sendable, Equatable {
  package let instance: String
  package let port: UInt16
  package let text: [String: String]

  /// The instance must be the only one of that name on the network (random), since nobody probes for it.
  /// - Precondition: The instance has 1–56 bytes, each pair of the text at most 254, all of them at most 1024.
  package init(instance: String, port: UInt16, text: [String: String]) {
    precondition((1...56).contains(instance.utf8.count), "an instance name has 1 to 56 bytes")
    let strings = ServiceText.strings(text)
    precondition(strings.allSatisfy { $0.count <= 255 }, "a pair is too long")
    precondition(strings.reduce(0) { $0 + $1.count } <= ServiceText.longest, "the text is too long")
    self.instance = instance
    self.port = port
    self.text = text
  }
}

/// The names under which services of this kind are published.
enum ServiceName {
  static let type: DNSName = "_fabrik._tcp.local"
  /// Under which tools ask for all types there are: RFC 6763 section 9.
  static let enumeration: DNSName = "_services._dns-sd._udp.local"

  static func instance(_ label: String) -> DNSName {
    type.prefixed(by: Array(label.utf8))!
  }

  static func host(_ label: String) -> DNSName {
    let domain: DNSName = "local"
    return domain.prefixed(by: Array("fabrik-\(label)".utf8))!
  }
}
