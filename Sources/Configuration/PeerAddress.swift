#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An entry of `p2p.peers`: `10.0.0.2:4711` or `[fe80::1%eth0]:4711`. No names: looking one up would tell a name server,
/// and whoever answers for it, about this machine.
enum PeerAddress {
  /// What is wrong with an entry, as the end of a sentence; nil when it is right.
  static func flaw(in text: String) -> String? {
    guard let (host, port) = split(text) else { return "has no port; write for example 10.0.0.2:4711" }
    guard let number = UInt16(port), number > 0, port.allSatisfy(\.isNumber) else {
      return "has no port from 1 to 65535"
    }
    guard let bytes = bytes(of: host) else { return "is not an IP address; names are not looked up" }
    return isLocal(bytes) ? nil : "is not an address of a local network"
  }

  private static func split(_ text: String) -> (host: Substring, port: Substring)? {
    if text.hasPrefix("["), let end = text.firstRange(of: "]:") {
      return (text[text.index(after: text.startIndex)..<end.lowerBound], text[end.upperBound...])
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count == 2 ? (parts[0], parts[1]) : nil
  }

  /// 4 or 16 bytes.
  private static func bytes(of host: Substring) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, String(host), &bytes) == 1 { return Array(bytes[..<4]) }
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard inet_pton(AF_INET6, String(parts[0]), &bytes) == 1, parts.count == 1 || !parts[1].isEmpty else { return nil }
    let isMapped = bytes.starts(with: [UInt8](repeating: 0, count: 10) + [0xff, 0xff])
    return isMapped ? Array(bytes[12...]) : bytes
  }

  private static func isLocal(_ bytes: [UInt8]) -> Bool {
    if bytes.count == 4 {
      switch (bytes[0], bytes[1]) {
      case (10, _), (127, _), (192, 168), (169, 254), (172, 16...31): return true
      default: return false
      }
    }
    let isLoopback = bytes == [UInt8](repeating: 0, count: 15) + [1]
    return isLoopback || bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 || bytes[0] & 0xfe == 0xfc
  }
}
