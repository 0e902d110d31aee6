import Glibc
import NIOCore
import SystemSupport

/// Where a peer may be reached.
enum PeerEndpoint: Hashable, Sendable, CustomStringConvertible {
  case network(InternetAddress, port: UInt16)
  /// A socket on this machine, where network namespaces or the lack of a network keep servers apart.
  case local(path: String)

  /// Reads `10.0.0.2:4711`, `[fe80::1%eth0]:4711` and `unix:/path`; nil for anything else, and for what is not on the
  /// local network.
  init?(_ text: String) {
    if text.hasPrefix("unix:/"), text.utf8.count <= 100 {
      self = .local(path: String(text.dropFirst(5)))
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    self.init(InternetAddress(String(host)), port: port)
  }

  /// nil for what is not on the local network: that is never dialled.
  init?(_ address: InternetAddress?, port: UInt16) {
    guard let address, address.isLocalNetwork, port > 0 else { return nil }
    self = .network(address.embedded ?? address, port: port)
  }

  var isLocal: Bool { if case .local = self { true } else { false } }

  var description: String {
    switch self {
    case .network(let address, let port):
      address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    case .local(let path): "unix:\(path)"
    }
  }

  /// nil only for a path that is too long.
  var socketAddress: SocketAddress? {
    switch self {
    case .network(let address, let port):
      address.withSocketAddress(port: port) { structure, _ in SocketAddress(copying: structure, family: address.family)
      }
    case .local(let path): try? SocketAddress(unixDomainSocketPath: path)
    }
  }
}

extension SocketAddress {
  fileprivate init?(copying address: UnsafePointer<sockaddr>, family: InternetAddress.Family) {
    let raw = UnsafeRawPointer(address)
    switch family {
    case .ipv4: self.init(raw.loadUnaligned(as: sockaddr_in.self))
    case .ipv6: self.init(raw.loadUnaligned(as: sockaddr_in6.self))
    }
  }

  /// nil for a Unix socket.
  var internetAddress: InternetAddress? {
    withSockAddr { address, _ in InternetAddress(address) }
  }
}
