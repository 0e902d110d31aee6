import Cryptography
import PeerNetwork
import PeerRecords
import SystemPackage
import SystemSupport

/// Somebody who has a team's secret, and an identity of its own.
struct Impostor: Sendable {
  let keys: TeamKeys
  let security: ChannelSecurity
  let identity: MachineIdentity
  let instance: String
  let name = "hostile"

  init(keys: TeamKeys, identity: MachineIdentity) throws {
    self.keys = keys
    self.identity = identity
    security = try ChannelSecurity(key: keys.channelKey)
    instance = Hex.encode(Self.random(8))
  }

  /// The same member of the team on another machine.
  func anotherMachine() throws -> Impostor {
    try Impostor(keys: keys, identity: MachineIdentity(seed: Self.random(32)))
  }

  static func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: .min ... .max) } }

  /// Fields with which it introduces itself on a channel.
  func introduction(as role: ChannelSecurity.Role, exporter: [UInt8]) -> [String: String] {
    let fields = try? Introduction.fields(
      of: identity, instance: instance, name: name, port: 0, role: role, exporter: exporter)
    return fields ?? [:]
  }

  /// Signs what it asks on a channel.
  ///
  /// - Parameter server: the public key of who answers; empty for the introduction.
  func signature(server: [UInt8], exporter: [UInt8]) -> RequestSignature {
    RequestSignature(key: keys.requestKey, client: identity.publicKey, server: server, exporter: exporter)
  }
}
