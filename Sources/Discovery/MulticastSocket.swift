import Glibc
import SystemPackage
import SystemSupport

/// Where multicast DNS is spoken: RFC 6762 section 3.
enum MulticastGroup {
  static let port: UInt16 = 5353

  static func address(_ family: InternetAddress.Family) -> InternetAddress {
    let bytes: [UInt8] = family == .ipv4 ? [224, 0, 0, 251] : [0xff, 2] + [UInt8](repeating: 0, count: 13) + [0xfb]
    return InternetAddress(bytes: bytes)!
  }
}

/// A UDP socket on one link. Closed with its last reference.
///
/// There is a socket for each link, since then each packet is known to come from that link, and an answer leaves where
/// its question came in, without ancillary data.
final class MulticastSocket {
  /// What has come in.
  struct Packet {
    let bytes: [UInt8]
    let sender: InternetAddress
    let port: UInt16
  }

  let link: Link
  let descriptor: FileDescriptor
  private let group: InternetAddress

  /// IPV6_MULTICAST_ALL, which the headers may not have.
  private static let ipv6MulticastAll: CInt = 29
  /// RFC 6762 section 11.
  private static let hops: CInt = 255

  /// A socket that hears the group. Throws an `Errno`; `addressInUse` when another program has the port for itself.
  ///
  /// It is bound to the group's address, so that it takes no unicast packets from another responder on this machine.
  /// SO_REUSEPORT must not be set: the kernel would then hand each packet to one socket only.
  /// - Parameter source: An address of the link's interface, for what goes out to the group.
  static func joined(_ link: Link, from source: InternetAddress) throws -> MulticastSocket {
    let socket = try MulticastSocket(link, source)
    try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
    try socket.bind(socket.group, port: MulticastGroup.port)
    try socket.join()
    return socket
  }

  /// A socket for one-shot questions, whose answers pass firewalls that know connections. Throws an `Errno`.
  /// - Parameter source: An address of the link's interface.
  static func asking(_ link: Link, from source: InternetAddress) throws -> MulticastSocket {
    let socket = try MulticastSocket(link, source)
    try socket.bind(source, port: 0)
    return socket
  }

  private init(_ link: Link, _ source: InternetAddress) throws {
    self.link = link
    group = MulticastGroup.address(link.family)
    let type = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let family = link.family == .ipv4 ? AF_INET : AF_INET6
    descriptor = FileDescriptor(rawValue: try FileSystem.check { socket(family, type, 0) })
    let index = CInt(link.interface)
    switch link.family {
    case .ipv4:
      // The address must be said: the kernel finds none for the loopback, and would send from 0.0.0.0.
      let interface = ip_mreqn(imr_multiaddr: in_addr(), imr_address: Self.number(source), imr_ifindex: index)
      try set(CInt(IPPROTO_IP), IP_MULTICAST_IF, interface)
      try set(CInt(IPPROTO_IP), IP_MULTICAST_LOOP, CInt(1))
      try set(CInt(IPPROTO_IP), IP_MULTICAST_TTL, Self.hops)
      try set(CInt(IPPROTO_IP), IP_TTL, Self.hops)
      // The group on this interface only. Emulated kernels may not know it, and then mix up interfaces at worst.
      try? set(CInt(IPPROTO_IP), IP_MULTICAST_ALL, CInt(0))
    case .ipv6:
      try set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, CInt(1))
      try set(CInt(IPPROTO_IPV6), IPV6_MULTICAST_IF, index)
      try set(CInt(IPPROTO_IPV6), IPV6_MULTICAST_LOOP, CInt(1))
      try set(CInt(IPPROTO_IPV6), IPV6_MULTICAST_HOPS, Self.hops)
      try set(CInt(IPPROTO_IPV6), IPV6_UNICAST_HOPS, Self.hops)
      // Older kernels do without: a socket that is bound to a link-local address is bound to the interface.
      try? set(CInt(IPPROTO_IPV6), Self.ipv6MulticastAll, CInt(0))
    }
  }

  deinit {
    try? descriptor.close()
  }

  private func set<Value>(_ level: CInt, _ option: CInt, _ value: Value) throws {
    try withUnsafePointer(to: value) { pointer in
      _ = try FileSystem.check {
        setsockopt(descriptor.rawValue, level, option, pointer, socklen_t(MemoryLayout<Value>.size))
      }
    }
  }

  private func bind(_ address: InternetAddress, port: UInt16) throws {
    try withSocketAddress(address, port: port) { address, length in
      _ = try FileSystem.check { Glibc.bind(descriptor.rawValue, address, length) }
    }
  }

  private func join() throws {
    switch link.family {
    case .ipv4:
      let membership = ip_mreqn(
        imr_multiaddr: Self.number(group), imr_address: in_addr(), imr_ifindex: CInt(link.interface))
      try set(CInt(IPPROTO_IP), IP_ADD_MEMBERSHIP, membership)
    case .ipv6:
      var membership = ipv6_mreq()
      withUnsafeMutableBytes(of: &membership.ipv6mr_multiaddr) { $0.copyBytes(from: group.bytes) }
      membership.ipv6mr_interface = link.interface
      try set(CInt(IPPROTO_IPV6), IPV6_JOIN_GROUP, membership)
    }
  }

  private static func number(_ address: InternetAddress) -> in_addr {
    in_addr(s_addr: address.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
  }

  /// With the interface as scope: the group's IPv6 address means nothing without.
  private func withSocketAddress<Result>(
    _ address: InternetAddress, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
  ) rethrows -> Result {
    try address.withSocketAddress(port: port) { pointer, length in
      guard address == group, link.family == .ipv6 else { return try body(pointer, length) }
      var structure = UnsafeRawPointer(pointer).load(as: sockaddr_in6.self)
      structure.sin6_scope_id = link.interface
      return try withUnsafePointer(to: structure) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, length) }
      }
    }
  }

  /// The port has the same place in both structures.
  private static func port(_ address: UnsafePointer<sockaddr>) -> UInt16 {
    UInt16(bigEndian: UnsafeRawPointer(address).loadUnaligned(fromByteOffset: 2, as: UInt16.self))
  }

  /// False when it could not be sent; a lost packet is nothing special here.
  @discardableResult
  func send(_ bytes: [UInt8], to destination: Outgoing.Destination) -> Bool {
    let (address, port) =
      switch destination {
      case .group: (group, MulticastGroup.port)
      case .host(let address, let port): (address, port)
      }
    return withSocketAddress(address, port: port) { address, length in
      bytes.withUnsafeBytes { bytes in
        sendto(descriptor.rawValue, bytes.baseAddress, bytes.count, 0, address, length) == bytes.count
      }
    }
  }

  /// The next packet; nil when there is none. What is too long to be a message comes as no bytes.
  /// - Parameter buffer: Space for ``DNSMessage/longest`` bytes.
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws -> Packet? {
    var address = sockaddr_storage()
    return try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let flags = CInt(MSG_TRUNC)
        let count = recvfrom(descriptor.rawValue, buffer.baseAddress, buffer.count, flags, pointer, &length)
        if count < 0 {
          // Refused: what an earlier packet of ours met with.
          let error = Errno(rawValue: errno)
          if [.wouldBlock, .interrupted, .connectionRefused].contains(error) { return nil }
          throw error
        }
        let bytes = count <= buffer.count ? Array(buffer[..<count]) : []
        guard let sender = InternetAddress(pointer) else { return nil }
        return Packet(bytes: bytes, sender: sender, port: Self.port(pointer))
      }
    }
  }
}
