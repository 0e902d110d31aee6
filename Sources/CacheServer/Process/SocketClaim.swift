import ControlProtocol
import Glibc
import Synchronization
import SystemPackage
import SystemSupport

/// Which files in the instance's directory are this server's sockets. The directory may be removed (at logout, with
/// /run/user/UID) and another server may be started in a new one of the same name: its sockets are not ours.
final class SocketClaim: Sendable {
  private struct Identity: Equatable {
    let device: UInt64
    let inode: UInt64

    init?(_ path: FilePath) {
      guard let status = try? FileSystem.status(path, followingLinks: false) else { return nil }
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
    }
  }

  private let paths: [FilePath]
  private let identities = Mutex<[Identity?]>([])

  /// Claims the sockets that are there. To be made while nobody else can replace them.
  init(instance: ServerInstance) {
    paths = ServerSocket.allCases.map(instance.path(of:))
    renew()
  }

  /// Claims the sockets that are there now.
  func renew() {
    identities.withLock { $0 = paths.map(Identity.init) }
  }

  /// Whether tools and launchers still find this server.
  var isIntact: Bool {
    identities.withLock { known in zip(paths, known).allSatisfy { $1 != nil && Identity($0) == $1 } }
  }

  /// Removes what is still ours. To be called with the instance's lock in hand.
  func removeSockets() {
    identities.withLock { known in
      for (path, identity) in zip(paths, known) where identity != nil && Identity(path) == identity {
        try? FileSystem.remove(path)
      }
    }
  }
}
