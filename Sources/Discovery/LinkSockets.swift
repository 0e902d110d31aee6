import SystemPackage
import SystemSupport

/// The sockets of one link, and the questions that went out through them.
final class LinkSockets {
  let link: Link
  let interface: NetworkInterface
  /// Hears the group; nil while another program has the port for itself.
  private(set) var joined: MulticastSocket?
  /// For one-shot questions; nil while the interface has no address of its own yet.
  private(set) var asking: MulticastSocket?
  /// Identifiers of the last questions. They tell our own questions, which the group brings back, from those of other
  /// processes of this machine, and answers from what nobody asked for.
  private var identifiers: [UInt16] = []

  /// More than are asked within the time an answer takes.
  private static let mostIdentifiers = 16

  init(link: Link, interface: NetworkInterface) {
    self.link = link
    self.interface = interface
  }

  /// Makes the sockets that are missing: the port may have been taken, an address not ready yet. True when there is one
  /// that was not there before.
  func open() -> Bool {
    let wasJoined = joined != nil
    let wasAsking = asking != nil
    guard let source else { return false }
    if !wasJoined { joined = try? MulticastSocket.joined(link, from: source) }
    if !wasAsking { asking = try? MulticastSocket.asking(link, from: source) }
    return (joined != nil) != wasJoined || (asking != nil) != wasAsking
  }

  /// Where questions come from: an address that this link's neighbours can answer to.
  private var source: InternetAddress? {
    let addresses = interface.addresses.filter { $0.family == link.family }
    return addresses.first(where: \.needsScope) ?? addresses.first
  }

  /// Asks through both sockets: answers to the one are fast and pass firewalls that know connections, answers to the
  /// other pass firewalls that know multicast DNS.
  func ask(_ query: DNSMessage) {
    var query = query
    // 0 would be usual for the group, and is nobody's business: RFC 6762 section 18.1.
    query.identifier = .random(in: 1 ... .max)
    identifiers = identifiers.suffix(Self.mostIdentifiers - 1) + [query.identifier]
    let bytes = query.encoded
    asking?.send(bytes, to: .group)
    joined?.send(bytes, to: .group)
  }

  /// An answer. It leaves from the port of multicast DNS, or not at all.
  func send(_ packet: Outgoing) {
    joined?.send(packet.message.encoded, to: packet.destination)
  }

  func isOwnQuery(_ message: DNSMessage, from sender: InternetAddress) -> Bool {
    identifiers.contains(message.identifier) && interface.addresses.contains(sender)
  }

  /// An answer to a question of the asking socket; others could be from anywhere.
  func isAnswer(_ message: DNSMessage, fromPort port: UInt16) -> Bool {
    port == MulticastGroup.port && identifiers.contains(message.identifier)
  }
}
