package import ControlProtocol
import SystemSupport

/// The values of `[p2p]` in force.
package struct PeerConfiguration: Sendable {
  package let isEnabled: Setting<Bool>
  package let secret: Setting<Secret?>
  package let consent: Setting<ConsentMode>
  package let addresses: Setting<[String]>
  package let port: Setting<UInt16>
  package let interfaces: Setting<[String]>
  package let name: Setting<String>

  /// - Parameter layers: the strongest first.
  init(layers: [PeerLayer]) {
    isEnabled = layers.lazy.compactMap(\.isEnabled).first ?? Setting(false)
    secret = layers.lazy.compactMap(\.secret).first ?? Setting(nil)
    consent = layers.lazy.compactMap(\.consent).first ?? Setting(.notifyOnce)
    addresses = layers.lazy.compactMap(\.addresses).first ?? Setting([])
    port = layers.lazy.compactMap(\.port).first ?? Setting(0)
    interfaces = layers.lazy.compactMap(\.interfaces).first ?? Setting([])
    name = layers.lazy.compactMap(\.name).first ?? Setting(HostName.short)
  }

  /// What a server needs; nil: off, or not complete.
  package var settings: PeerSettings? {
    guard isEnabled.value, let secret = secret.value else { return nil }
    return PeerSettings(
      secret: secret, consent: consent.value, addresses: addresses.value, port: port.value,
      interfaces: interfaces.value, name: name.value)
  }

  /// Peers are wanted, but without a secret there are none. One that was left empty on purpose is no flaw.
  var flaw: ConfigurationError? {
    guard isEnabled.value, secret.value == nil, secret.place == nil, let place = isEnabled.place else { return nil }
    return ConfigurationError(
      place,
      "p2p.enabled needs a p2p.secret, the same on every machine of the team; make one with: fabrik p2p secret",
      consequence: "builds run without peers")
  }
}
