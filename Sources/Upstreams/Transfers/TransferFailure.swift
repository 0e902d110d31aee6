/// Why there is no answer.
enum TransferFailure: Error, Sendable, Equatable {
  case unresolvable
  case proxyUnresolvable
  /// The proxy does not let this through, and says so with a status.
  case proxyRefused(Int)
  case refused
  /// No TLS came about.
  case handshake
  /// The store's certificate is not trusted.
  case tls(String)
  /// No connection within the time, or no answer.
  case stalled
  /// The body came too slowly.
  case tooSlow
  case reset
  /// The consumer was no longer interested.
  case givenUp
  /// The engine was stopped.
  case stopped
  case other(String)
}
