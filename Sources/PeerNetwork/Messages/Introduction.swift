package import PeerRecords
import SystemSupport

/// What each side says of itself when a channel has been opened: the asking one with its first request, the other with
/// its answer. The proof is an Ed25519 signature over the channel's exporter value, so that nobody can pass on
/// somebody else's.
package struct Introduction: Sendable, Equatable {
  package let publicKey: [UInt8]
  package let identifier: PeerIdentifier
  /// Random, new with each start of a server: one machine may have several.
  package let instance: String
  /// As the owner calls the machine; cleaned, but a text from somebody else.
  package let name: String
  /// Where the machine itself can be asked; 0: nowhere.
  package let port: UInt16

  private static let keyField = "fabrik-identity"
  private static let proofField = "fabrik-proof"
  private static let instanceField = "fabrik-instance"
  private static let nameField = "fabrik-name"
  private static let portField = "fabrik-port"

  private static func message(_ role: ChannelSecurity.Role, exporter: [UInt8], publicKey: [UInt8]) -> [UInt8] {
    Array("fabrik identity 1 \(role.rawValue)\n".utf8) + exporter + publicKey
  }

  /// The fields of a head with which this machine introduces itself.
  package static func fields(
    of identity: MachineIdentity, instance: String, name: String, port: UInt16, role: ChannelSecurity.Role,
    exporter: [UInt8]
  ) throws -> [String: String] {
    let proof = try identity.sign(message(role, exporter: exporter, publicKey: identity.publicKey))
    return [
      keyField: Hex.encode(identity.publicKey), proofField: Hex.encode(proof), instanceField: instance,
      // Names are in any script, fields in ASCII.
      nameField: Hex.encode(Array(name.utf8.prefix(128))), portField: String(port),
    ]
  }

  /// Reads and checks what the other side said; nil when its proof is not right.
  ///
  /// - Parameter role: the other side's.
  package init?(_ head: MessageHead, role: ChannelSecurity.Role, exporter: [UInt8]) {
    func bytes(_ field: String) -> [UInt8]? { head[field].flatMap { Hex.decode(Array($0.utf8)) } }
    guard let publicKey = bytes(Self.keyField), publicKey.count == MachineIdentity.keyLength,
      let proof = bytes(Self.proofField), let instance = head[Self.instanceField], instance.utf8.count == 16,
      Hex.decode(Array(instance.utf8)) != nil, let identifier = PeerIdentifier(publicKey: publicKey),
      MachineIdentity.verify(
        proof, of: Self.message(role, exporter: exporter, publicKey: publicKey), by: publicKey)
    else { return nil }
    self.publicKey = publicKey
    self.identifier = identifier
    self.instance = instance
    name = DisplayText.name(String(decoding: bytes(Self.nameField)?.prefix(128) ?? [], as: UTF8.self))
    port = head[Self.portField].flatMap { UInt16($0) } ?? 0
  }
}
