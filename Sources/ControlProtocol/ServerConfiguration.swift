package import SystemPackage

/// What a launcher hands to the server it starts through a pipe, so that it is in no list of processes: one line.
package struct ServerConfiguration: Sendable, Equatable {
  /// nil: off.
  package var peers: PeerSettings?
  /// Stores behind the peers, in the order in which they are asked.
  package var upstreams: [UpstreamSettings]
  /// Seals what goes to them; the peers' secret, also when there are no peers. nil: there is none.
  package var sealingSecret: Secret?
  /// Of the build that starts the server. Not part of the instance's hash.
  package var surroundings: UpstreamSurroundings
  /// `$XDG_DATA_HOME/fabrik`: this machine's identity, and what is known of peers. Not part of the instance's hash.
  package var dataDirectory: FilePath?
  /// `$XDG_STATE_HOME/fabrik`: what the last builds asked for. Not part of the instance's hash.
  package var stateDirectory: FilePath?
  /// The D-Bus address of the user's session. Not part of the instance's hash.
  package var sessionBus: String?

  package init(
    peers: PeerSettings? = nil, upstreams: [UpstreamSettings] = [], sealingSecret: Secret? = nil,
    surroundings: UpstreamSurroundings = .init(), dataDirectory: FilePath? = nil,
    stateDirectory: FilePath? = nil, sessionBus: String? = nil
  ) {
    self.peers = peers
    self.upstreams = upstreams
    self.sealingSecret = sealingSecret
    self.surroundings = surroundings
    self.dataDirectory = dataDirectory
    self.stateDirectory = stateDirectory
    self.sessionBus = sessionBus
  }

  package var message: ControlMessage {
    var fields = peers?.fields ?? [:]
    fields.merge(UpstreamSettings.fields(of: upstreams)) { $1 }
    fields.merge(surroundings.fields) { $1 }
    fields["seal"] = sealingSecret?.text
    fields["data"] = dataDirectory?.string
    fields["state"] = stateDirectory?.string
    fields["session_bus"] = sessionBus
    return ControlMessage(ControlMessage.configure, fields)
  }

  /// nil when it is another message.
  package init?(message: ControlMessage) {
    guard message.verb == ControlMessage.configure else { return nil }
    self.init(
      peers: PeerSettings(fields: message.fields), upstreams: UpstreamSettings.list(fields: message.fields),
      sealingSecret: message["seal"].map { Secret($0) }, surroundings: UpstreamSurroundings(fields: message.fields),
      dataDirectory: message["data"].map { FilePath($0) }, stateDirectory: message["state"].map { FilePath($0) },
      sessionBus: message["session_bus"])
  }
}
