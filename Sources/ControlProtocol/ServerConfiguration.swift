package import SystemPackage

/// What a launcher hands to the server it starts through a pipe, so that it is in no list of processes: one line.
package struct ServerConfiguration: Sendable, Equatable {
  /// nil: off.
  package var peers: PeerSettings?
  /// `$XDG_DATA_HOME/fabrik`: this machine's identity, and what is known of peers. Not part of the instance's hash.
  package var dataDirectory: FilePath?
  /// The D-Bus address of the user's session. Not part of the instance's hash.
  package var sessionBus: String?

  package init(peers: PeerSettings? = nil, dataDirectory: FilePath? = nil, sessionBus: String? = nil) {
    self.peers = peers
    self.dataDirectory = dataDirectory
    self.sessionBus = sessionBus
  }

  package var message: ControlMessage {
    var fields = peers?.fields ?? [:]
    fields["data"] = dataDirectory?.string
    fields["session_bus"] = sessionBus
    return ControlMessage(ControlMessage.configure, fields)
  }

  /// nil when it is another message.
  package init?(message: ControlMessage) {
    guard message.verb == ControlMessage.configure else { return nil }
    self.init(
      peers: PeerSettings(fields: message.fields), dataDirectory: message["data"].map { FilePath($0) },
      sessionBus: message["session_bus"])
  }
}
