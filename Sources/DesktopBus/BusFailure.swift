/// Why something could not be done over D-Bus. None of these is an error of the build.
package enum BusFailure: Error, Equatable, CustomStringConvertible {
  /// There is no libdbus-1, no bus, or no such service.
  case unavailable(String)
  /// The service answered with this error.
  case refused(name: String, text: String)
  /// The service did not answer in time.
  case timedOut(waitingFor: String)
  /// Somebody else asked to stop waiting.
  case interrupted
  /// The bus is gone.
  case disconnected

  package var description: String {
    switch self {
    case .unavailable(let reason): reason
    case .refused(let name, let text): text.isEmpty ? name : "\(text) (\(name))"
    case .timedOut(let what): "no answer to \(what)"
    case .interrupted: "withdrawn"
    case .disconnected: "the bus closed the connection"
    }
  }
}
