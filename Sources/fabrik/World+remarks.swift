import Configuration
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

extension World {
  /// What is not wrong with the configuration, and should be otherwise.
  var remarks: [String] {
    guard let secret = configuration.peers.secret.value, case .file(let path, _, _)? = configuration.peers.secret.place,
      let status = try? FileSystem.status(path), status.st_mode & 0o077 != 0,
      // Not of a variable.
      SmallFile.read(path)?.contains(secret.text) == true
    else { return [] }
    return ["\(path): others can read the secret in it; run: chmod 600 \(path)"]
  }
}
