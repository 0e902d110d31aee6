import Glibc
import SystemPackage
import SystemSupport

/// Becomes readable when an interface or an address comes or goes (rtnetlink). Closed with its last reference.
final class InterfaceWatch {
  let descriptor: FileDescriptor

  /// `struct sockaddr_nl` and the groups of linux/rtnetlink.h, which Swift does not import.
  private struct Address {
    var family = UInt16(AF_NETLINK)
    var padding: UInt16 = 0
    var process: UInt32 = 0
    /// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR.
    var groups: UInt32 = 0x1 | 0x10 | 0x100
  }

  /// NETLINK_ROUTE.
  private static let routing: CInt = 0

  /// nil where that is forbidden; then one has to look from time to time.
  init?() {
    let type = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let raw = socket(AF_NETLINK, type, Self.routing)
    guard raw >= 0 else { return nil }
    descriptor = FileDescriptor(rawValue: raw)
    let result = withUnsafePointer(to: Address()) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(raw, $0, socklen_t(MemoryLayout<Address>.size))
      }
    }
    if result != 0 { return nil }
  }

  deinit {
    try? descriptor.close()
  }

  /// Reads over all that has come; what it was is seen by looking at the interfaces.
  func drain() {
    withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 8) { buffer in
      // An overrun is an error, and the socket is readable again after it.
      while recv(descriptor.rawValue, buffer.baseAddress, buffer.count, 0) > 0 || errno == EINTR || errno == ENOBUFS {}
    }
  }
}
