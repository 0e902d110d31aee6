package import ControlProtocol

/// Who may talk to the HTTP front end. It listens on the loopback interface, where every user of the machine and every
/// web page in a browser can reach it: so a request must carry the server's token and the right `Host`, and none that a
/// browser sends for a page (`Origin`) is let in.
package struct LoopbackGuard: Sendable {
  private let endpoint: HTTPEndpoint
  private let hosts: [String]

  package init(endpoint: HTTPEndpoint) {
    self.endpoint = endpoint
    hosts = ["127.0.0.1:\(endpoint.port)", "localhost:\(endpoint.port)"]
  }

  package enum Verdict: Sendable, Equatable {
    /// Let in; the lease the token names, if it names one.
    case admitted(lease: String?)
    case refused
  }

  /// - Parameter header: the values of a request header, by its name in lower case.
  package func judge(header: (String) -> [String]) -> Verdict {
    let host = header("host")
    guard host.count == 1, hosts.contains(host[0].lowercased()), header("origin").isEmpty else { return .refused }
    let authorization = header("authorization")
    guard authorization.count == 1, let token = Self.bearer(authorization[0]) else { return .refused }
    let parts = token.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard Self.isEqual(parts[0].utf8, endpoint.token.utf8) else { return .refused }
    return .admitted(lease: parts.count == 2 ? String(parts[1]) : nil)
  }

  private static func bearer(_ value: String) -> Substring? {
    guard value.utf8.count > 7, value.prefix(7).lowercased() == "bearer " else { return nil }
    return value.dropFirst(7)
  }

  /// Takes the same time wherever the first difference is.
  static func isEqual(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
