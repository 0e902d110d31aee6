package import Glibc

/// An IPv4 or IPv6 address, with the interface it belongs to where it means something on that interface only.
package struct InternetAddress: Sendable, Hashable {
  package enum Family: Sendable, Hashable {
    case ipv4, ipv6
  }

  package let family: Family
  /// The index of the interface of a link-local IPv6 address; 0 for all others, or when it is not known.
  package let scope: UInt32

  /// The address as one number; of IPv4, the last 32 bits.
  private let value: UInt128

  /// - Parameters:
  ///   - bytes: In network order. nil unless there are 4 or 16.
  ///   - scope: An interface's index; dropped unless the address is link-local IPv6.
  package init?(bytes: some Collection<UInt8>, scope: UInt32 = 0) {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    family = bytes.count == 4 ? .ipv4 : .ipv6
    value = bytes.reduce(0) { $0 << 8 | UInt128($1) }
    self.scope = bytes.count == 16 && value >> 118 == Self.linkLocalPrefix ? scope : 0
  }

  private static let linkLocalPrefix: UInt128 = 0xfe80 >> 6

  /// Understands `10.0.0.2`, `fe80::1`, `fe80::1%eth0` and `fe80::1%2`; nil for anything else, such as a host name, a
  /// zone behind an address that is not link-local, or the name of an interface that is not there.
  package init?(_ text: String) {
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var buffer = (UInt64(0), UInt64(0))
    let bytes: [UInt8]? = withUnsafeMutableBytes(of: &buffer) { buffer in
      for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
        // inet_pton would stop at a NUL inside the text.
        guard !parts[0].utf8.contains(0), inet_pton(family, parts[0], buffer.baseAddress!) == 1 else { continue }
        return Array(buffer[..<count])
      }
      return nil
    }
    guard let bytes else { return nil }
    guard parts.count == 2 else {
      self.init(bytes: bytes)
      return
    }
    let scope = UInt32(parts[1]) ?? if_nametoindex(parts[1])
    self.init(bytes: bytes, scope: scope)
    if self.scope == 0 || parts[1].utf8.contains(0) { return nil }
  }

  /// nil when the structure holds neither an IPv4 nor an IPv6 address.
  package init?(_ address: UnsafePointer<sockaddr>) {
    switch CInt(address.pointee.sa_family) {
    case AF_INET:
      let number = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
      self.init(bytes: withUnsafeBytes(of: number, Array.init))
    case AF_INET6:
      let structure = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self)
      self.init(bytes: withUnsafeBytes(of: structure.sin6_addr, Array.init), scope: structure.sin6_scope_id)
    default:
      return nil
    }
  }

  /// 4 or 16 bytes in network order.
  package var bytes: [UInt8] {
    let bytes = withUnsafeBytes(of: value.bigEndian, Array.init)
    return family == .ipv4 ? Array(bytes.suffix(4)) : bytes
  }

  /// Calls `body` with a socket address of this address and port, valid during the call.
  package func withSocketAddress<Result>(
    port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
  ) rethrows -> Result {
    switch family {
    case .ipv4:
      var structure = sockaddr_in()
      structure.sin_family = sa_family_t(AF_INET)
      structure.sin_port = port.bigEndian
      structure.sin_addr.s_addr = UInt32(truncatingIfNeeded: value).bigEndian
      return try Self.withPointer(to: structure, body)
    case .ipv6:
      var structure = sockaddr_in6()
      structure.sin6_family = sa_family_t(AF_INET6)
      structure.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &structure.sin6_addr) { $0.copyBytes(from: bytes) }
      structure.sin6_scope_id = scope
      return try Self.withPointer(to: structure, body)
    }
  }

  private static func withPointer<Structure, Result>(
    to structure: Structure, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
  ) rethrows -> Result {
    try withUnsafePointer(to: structure) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try body($0, socklen_t(MemoryLayout<Structure>.size))
      }
    }
  }
}

// MARK: - What kind of address it is
extension InternetAddress {
  /// Of the host itself: 127.0.0.0/8 and ::1.
  package var isLoopback: Bool {
    if let embedded { return embedded.isLoopback }
    return family == .ipv4 ? value >> 24 == 127 : value == 1
  }

  /// IPv6 that means something on one interface only: fe80::/10.
  package var needsScope: Bool {
    family == .ipv6 && value >> 118 == Self.linkLocalPrefix
  }

  /// An address that routers of the internet do not carry: private (RFC 1918), link-local, unique local, or loopback.
  /// An IPv4 address inside an IPv6 one (::ffff:0:0/96) is judged by itself.
  package var isLocalNetwork: Bool {
    if let embedded { return embedded.isLocalNetwork }
    switch family {
    case .ipv4:
      return value >> 24 == 10 || value >> 20 == 0xac1 || value >> 16 == 0xc0a8 || value >> 16 == 0xa9fe || isLoopback
    case .ipv6:
      return isLoopback || needsScope || value >> 121 == 0xfc >> 1
    }
  }

  /// The IPv4 address that an IPv4-mapped IPv6 address stands for; nil for all others.
  package var embedded: InternetAddress? {
    guard family == .ipv6, value >> 32 == 0xffff else { return nil }
    return InternetAddress(bytes: bytes.suffix(4))
  }
}

extension InternetAddress: CustomStringConvertible {
  /// `10.0.0.2`, `fe80::1%eth0`; the interface's number when it has no name any more.
  package var description: String {
    let address = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      _ = bytes.withUnsafeBytes {
        inet_ntop(family == .ipv4 ? AF_INET : AF_INET6, $0.baseAddress!, text.baseAddress!, 64)
      }
      return String(cString: text.baseAddress!)
    }
    guard scope != 0 else { return address }
    let zone = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { name in
      if_indextoname(scope, name.baseAddress!).map { String(cString: $0) } ?? "\(scope)"
    }
    return "\(address)%\(zone)"
  }
}
