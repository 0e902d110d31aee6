/// How a server is.
package struct ServerStatus: Sendable, Equatable {
  /// Of the program.
  package var version: String
  package var process: Int32
  package var uptimeMilliseconds: Int64
  /// Whether it stays until it is told to end.
  package var isDaemon: Bool
  /// Builds that use it now.
  package var leases: Int
  /// nil: it was started without peers.
  package var peers: PeerStatus?

  package init(
    version: String, process: Int32, uptimeMilliseconds: Int64, isDaemon: Bool, leases: Int, peers: PeerStatus? = nil
  ) {
    self.version = version
    self.process = process
    self.uptimeMilliseconds = uptimeMilliseconds
    self.isDaemon = isDaemon
    self.leases = leases
    self.peers = peers
  }
}

/// How a server's part in the team is.
package struct PeerStatus: Sendable, Equatable {
  /// This machine's ``PeerIdentifier``; nil when it has none.
  package var identifier: String?
  /// Where peers are answered; nil when nothing listens.
  package var port: UInt16?
  /// How this machine is announced and others are found, in a few words; empty when neither works.
  package var discovery: String
  /// Entries that are offered to peers.
  package var entries: Int
  /// What does not work, as a sentence for the user; nil when all does.
  package var problem: String?

  package init(
    identifier: String? = nil, port: UInt16? = nil, discovery: String = "", entries: Int = 0, problem: String? = nil
  ) {
    self.identifier = identifier
    self.port = port
    self.discovery = discovery
    self.entries = entries
    self.problem = problem
  }
}

extension ServerStatus {
  package var fields: [String: String] {
    var fields = [
      "version": version, "pid": String(process), "uptime": String(uptimeMilliseconds), "daemon": isDaemon ? "1" : "0",
      "leases": String(leases),
    ]
    for (name, value) in peers?.fields ?? [:] { fields[Self.peerPrefix + name] = value }
    return fields
  }

  private static let peerPrefix = "p2p."

  /// What is absent or malformed counts as zero.
  package init(fields: [String: String]) {
    var peers: [String: String] = [:]
    for (name, value) in fields where name.hasPrefix(Self.peerPrefix) {
      peers[String(name.dropFirst(Self.peerPrefix.count))] = value
    }
    self.init(
      version: fields["version"] ?? "", process: fields["pid"].flatMap { Int32($0) } ?? 0,
      uptimeMilliseconds: fields["uptime"].flatMap { Int64($0) } ?? 0, isDaemon: fields["daemon"] == "1",
      leases: fields["leases"].flatMap { Int($0) } ?? 0, peers: PeerStatus(fields: peers))
  }
}

extension PeerStatus {
  package var fields: [String: String] {
    var fields = ["discovery": discovery, "entries": String(entries)]
    fields["id"] = identifier
    fields["port"] = port.map { String($0) }
    fields["problem"] = problem
    return fields
  }

  /// nil when there are no fields: a server without peers.
  package init?(fields: [String: String]) {
    guard !fields.isEmpty else { return nil }
    let port = fields["port"].flatMap { UInt16($0) } ?? 0
    self.init(
      identifier: fields["id"], port: port > 0 ? port : nil, discovery: fields["discovery"] ?? "",
      entries: fields["entries"].flatMap { Int($0) } ?? 0, problem: fields["problem"])
  }
}
