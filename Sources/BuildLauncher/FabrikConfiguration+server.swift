package import Configuration
package import ControlProtocol

extension FabrikConfiguration {
  /// What a server for this configuration is started with.
  package var serverParameters: ServerInstance.Parameters {
    .init(
      cacheDirectory: cacheDirectory.value, maxSize: maxSize.value?.bytes, peers: peers.settings,
      upstreams: upstreams.value, sealingSecret: upstreams.value.isEmpty ? nil : peers.secret.value)
  }
}
