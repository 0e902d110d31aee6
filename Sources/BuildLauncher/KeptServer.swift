/// A server that is a daemon now.
package struct KeptServer: ~Copyable {
  package enum Before: Sendable {
    case absent, ephemeral, daemon
  }

  /// Ends with the server.
  package var connection: ControlConnection
  /// What there was before.
  package let before: Before
}

/// Why there is no server, as the end of a sentence.
package struct ServerFailure: Error, CustomStringConvertible {
  package let description: String
}
