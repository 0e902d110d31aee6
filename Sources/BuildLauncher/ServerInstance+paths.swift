package import Configuration
package import ControlProtocol

extension ServerInstance {
  /// The place of a configuration's server. Throws an `Errno` when the salt of one with a secret can be kept nowhere.
  package init(runtime: RuntimeDirectory, parameters: Parameters, paths: StandardPaths) throws {
    var salt = ""
    if parameters.isSecret {
      // Beside the sockets it is lost at logout, and tools then meet other paths; better than no peers.
      salt = try (try? InstanceSalt.find(in: paths.data)) ?? InstanceSalt.find(in: runtime.path)
    }
    self.init(runtime: runtime, parameters: parameters, salt: salt)
  }
}
