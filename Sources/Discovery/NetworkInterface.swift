import Glibc
import SystemSupport

/// An interface that multicast DNS can be spoken on.
struct NetworkInterface: Sendable, Equatable {
  let name: String
  let index: UInt32
  let isLoopback: Bool
  /// All of them, in the system's order.
  var addresses: [InternetAddress]

  /// Hosts of containers have hundreds; the first are the ones with IPv4.
  static let most = 32

  /// Those of these names, or all, that are up and have a carrier. Tunnels only when they are named: their other end is
  /// not on the local network.
  static func current(named names: [String]) -> [NetworkInterface] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var interfaces: [UInt32: NetworkInterface] = [:]
    for entry in sequence(first: list, next: { $0?.pointee.ifa_next }) {
      guard let entry = entry?.pointee, let address = entry.ifa_addr.flatMap({ InternetAddress($0) }) else { continue }
      let name = String(cString: entry.ifa_name)
      guard names.isEmpty || names.contains(name), isUsable(entry.ifa_flags, isNamed: !names.isEmpty) else { continue }
      let index = if_nametoindex(name)
      guard index != 0 else { continue }
      let isLoopback = entry.ifa_flags & UInt32(IFF_LOOPBACK) != 0
      interfaces[index, default: .init(name: name, index: index, isLoopback: isLoopback, addresses: [])]
        .addresses.append(address)
    }
    return Array(interfaces.values.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.prefix(most))
  }

  private var rank: Int {
    isLoopback ? 0 : addresses.contains { $0.family == .ipv4 } ? 1 : 2
  }

  private static func isUsable(_ flags: UInt32, isNamed: Bool) -> Bool {
    func has(_ flag: Int) -> Bool { flags & UInt32(flag) != 0 }
    guard has(IFF_UP), has(IFF_RUNNING) else { return false }
    return has(IFF_LOOPBACK) || has(IFF_MULTICAST) && (isNamed || !has(IFF_POINTOPOINT))
  }
}
