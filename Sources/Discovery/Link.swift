import SystemSupport

/// Time that goes on while the machine sleeps.
typealias Instant = ContinuousClock.Instant

/// Where packets come in and go out: one protocol on one interface.
struct Link: Hashable, Sendable {
  let interface: UInt32
  let family: InternetAddress.Family
}

/// A packet to send.
struct Outgoing: Sendable, Equatable {
  enum Destination: Sendable, Equatable {
    /// All of mDNS on the link.
    case group
    case host(InternetAddress, port: UInt16)
  }

  let link: Link
  let destination: Destination
  let message: DNSMessage
}
