import ControlProtocol
import SystemPackage

/// What a build asks of the server.
struct LeaseTerms: Sendable {
  /// Names the lease; tools show it.
  let id = String(UInt64.random(in: 0...UInt64.max), radix: 16)
  /// How long the server is to stay after the build.
  let linger: Duration
  let usesPeers: Bool
  let usesUpstreams: Bool
  /// What upstreams are reached with; nil: there are none.
  let surroundings: UpstreamSurroundings?
  /// Build tools that the command usually runs.
  var tools: [String] = []
  /// By ``BuildIdentity``; nil: nothing is fetched ahead.
  var plan: String?
  /// As it is shown later; nil: the lease is not for a build.
  var command: CommandSummary?
  var directory: FilePath?
}
