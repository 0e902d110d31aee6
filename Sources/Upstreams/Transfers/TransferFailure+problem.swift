import SystemSupport

extension TransferFailure {
  /// Of what a library says.
  private static let longestRemark = 200

  /// nil: it says nothing about the store.
  var problem: UpstreamProblem? {
    switch self {
    case .unresolvable: .init(kind: .lasting, text: "is not known by that name: check the url, or your network's DNS")
    case .proxyUnresolvable: .init(kind: .lasting, text: "cannot be reached: the proxy is not known by that name")
    case .proxyRefused(407): .init(kind: .lasting, text: "cannot be reached: the proxy wants a password (407)")
    case .proxyRefused(let status): .init(kind: .lasting, text: "cannot be reached: the proxy refuses (\(status))")
    case .refused: .init(kind: .lasting, text: "refuses connections: is it running, and is the port right?")
    case .handshake: .init(kind: .passing, text: "does not agree on TLS: check the url's scheme and port")
    case .tls(let text):
      .init(
        kind: .lasting,
        text:
          "cannot be trusted (\(DisplayText.clean(text, limit: Self.longestRemark))): for a private authority set ca_file"
      )
    case .stalled: .init(kind: .passing, text: "does not answer in time; builds go on without it")
    case .tooSlow: .init(kind: .passing, text: "sends too slowly; builds go on without it")
    case .reset: .init(kind: .passing, text: "breaks connections off; builds go on without it")
    case .other(let text):
      .init(kind: .passing, text: "cannot be used: \(DisplayText.clean(text, limit: Self.longestRemark))")
    case .givenUp, .stopped: nil
    }
  }
}
