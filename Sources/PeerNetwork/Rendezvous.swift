import Glibc
package import SystemPackage
import SystemSupport

/// Where servers on one machine find each other without a network: a directory that all users share, with one socket for
/// each server. What is found here is a hint; the handshake decides who is of the team.
package struct Rendezvous: Sendable {
  let directory: FilePath
  /// Marks the team's sockets.
  let tag: String

  package static let standardDirectory = FilePath("/tmp/fabrik-peers")
  /// Sockets of the team that are tried; anybody may put more there.
  static let limit = 32

  /// The socket of one server. Makes the directory.
  func socket(of instance: String) -> FilePath? {
    if directory.withPlatformString({ mkdir($0, 0o1777) }) == 0 {
      // The umask took away what others need to put theirs there.
      directory.withPlatformString { _ = chmod($0, 0o1777) }
    }
    guard let status = try? FileSystem.status(directory, followingLinks: false), status.st_mode & S_IFMT == S_IFDIR
    else {
      return nil
    }
    return directory.appending("\(tag).\(instance)")
  }

  /// The sockets of other servers of the team. Removes those this user's servers have left behind.
  ///
  /// - Parameter sweeping: also removes what this user's servers of other teams have left.
  func others(than instance: String, sweeping: Bool = false) -> [FilePath] {
    var found: [FilePath] = []
    try? FileSystem.forEachEntry(of: directory) { name in
      let name = String(cString: name)
      let isTeam = name.hasPrefix("\(tag).")
      guard isTeam || sweeping, name != "\(tag).\(instance)", found.count < Self.limit else { return }
      let path = directory.appending(name)
      guard let status = try? FileSystem.status(path, followingLinks: false), status.st_mode & S_IFMT == S_IFSOCK else {
        return
      }
      if status.st_uid == geteuid(), !isAlive(path) {
        try? FileSystem.remove(path)
      } else if isTeam {
        found.append(path)
      }
    }
    return found
  }

  private func isAlive(_ path: FilePath) -> Bool {
    let descriptor = socket_(AF_UNIX)
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = path.bytes
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 || errno != ECONNREFUSED
  }
}

private func socket_(_ family: CInt) -> CInt {
  socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
}
