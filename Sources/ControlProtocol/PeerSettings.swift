/// When the user is asked whether a peer may fetch from this machine.
package enum ConsentMode: String, Sendable, CaseIterable {
  /// Once; the answer is remembered.
  case notifyOnce = "notify-once"
  /// Each time a peer begins to fetch.
  case notifyAlways = "notify-always"
  /// Never: whoever has the secret may fetch.
  case alwaysAllow = "always-allow"
}

/// What a server needs to know to find and answer peers.
package struct PeerSettings: Sendable, Equatable {
  package var secret: Secret
  package var consent: ConsentMode
  /// Peers that need not be discovered: `10.0.0.2:4711`, `[fe80::1%eth0]:4711`.
  package var addresses: [String]
  /// Where this machine listens; 0: any port that is free.
  package var port: UInt16
  /// Names of network interfaces; none: all.
  package var interfaces: [String]
  /// What other machines call this one.
  package var name: String

  package init(
    secret: Secret, consent: ConsentMode = .notifyOnce, addresses: [String] = [], port: UInt16 = 0,
    interfaces: [String] = [], name: String
  ) {
    self.secret = secret
    self.consent = consent
    self.addresses = addresses
    self.port = port
    self.interfaces = interfaces
    self.name = name
  }
}

extension PeerSettings {
  /// The fields of a ``ServerConfiguration``'s message.
  package var fields: [String: String] {
    [
      "secret": secret.text, "consent": consent.rawValue, "addresses": addresses.joined(separator: ","),
      "port": String(port), "interfaces": interfaces.joined(separator: ","), "name": name,
    ]
  }

  /// nil when there is no secret: peers are off.
  package init?(fields: [String: String]) {
    guard let secret = fields["secret"] else { return nil }
    func list(_ name: String) -> [String] { fields[name]?.split(separator: ",").map(String.init) ?? [] }
    self.init(
      secret: Secret(secret), consent: fields["consent"].flatMap(ConsentMode.init(rawValue:)) ?? .notifyOnce,
      addresses: list("addresses"), port: fields["port"].flatMap { UInt16($0) } ?? 0, interfaces: list("interfaces"),
      name: fields["name"] ?? "")
  }
}
