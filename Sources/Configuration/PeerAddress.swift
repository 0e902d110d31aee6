import SystemSupport

/// An entry of `p2p.peers`: `10.0.0.2:4711` or `[fe80::1%eth0]:4711`. No names: looking one up would tell a name server,
/// and whoever answers for it, about this machine.
enum PeerAddress {
  /// What is wrong with an entry, as the end of a sentence; nil when it is right. The interface of a link-local address
  /// need not be there now.
  static func flaw(in text: String) -> String? {
    guard let (host, port) = split(text) else { return "has no port; write for example 10.0.0.2:4711" }
    guard let number = UInt16(port), number > 0, port.allSatisfy(\.isNumber) else {
      return "has no port from 1 to 65535"
    }
    guard let address = address(of: host) else { return "is not an IP address; names are not looked up" }
    return address.isLocalNetwork ? nil : "is not an address of a local network"
  }

  private static func split(_ text: String) -> (host: Substring, port: Substring)? {
    if text.hasPrefix("["), let end = text.firstRange(of: "]:") {
      return (text[text.index(after: text.startIndex)..<end.lowerBound], text[end.upperBound...])
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count == 2 ? (parts[0], parts[1]) : nil
  }

  private static func address(of host: Substring) -> InternetAddress? {
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = InternetAddress(String(parts[0])) else { return nil }
    return parts.count == 1 || address.needsScope && !parts[1].isEmpty ? address : nil
  }
}
