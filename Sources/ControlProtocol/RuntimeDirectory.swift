import Glibc
package import SystemPackage
package import SystemSupport

/// The directory of this user's sockets: `$XDG_RUNTIME_DIR/fabrik`, `/run/user/UID/fabrik` where the variable is not set
/// (under cron, or `ssh` without a session), else `/tmp/fabrik-UID`. Whoever can enter it can use the cache, so it must
/// belong to this user and be closed to all others.
package struct RuntimeDirectory: Sendable {
  package let path: FilePath

  /// Why no directory can be used.
  package struct Unusable: Error, CustomStringConvertible {
    package let description: String
  }

  /// Makes the directory, or checks the one that is there. A runtime directory of another user (as under `sudo`) is
  /// passed over.
  package init(environment: Environment) throws(Unusable) {
    try self.init(candidates: Self.candidates(environment: environment))
  }

  /// - Parameter sessions: the directory of the login sessions' runtime directories, each named by its user's number.
  static func candidates(environment: Environment, sessions: FilePath = "/run/user") -> [FilePath] {
    let session = sessions.appending("\(geteuid())")
    let isOurs = (try? FileSystem.status(session))?.st_uid == geteuid()
    var places = [environment.absolutePath("XDG_RUNTIME_DIR")].compactMap { $0 }
    if isOurs, places != [session] { places.append(session) }
    return places.map { $0.appending("fabrik") } + [FilePath("/tmp/fabrik-\(geteuid())")]
  }

  /// Bytes of a Unix socket's path.
  private static let longestAddress = 107
  /// Bytes of the longest one below: `/<hash>/builds/<lease>/sccache.sock`, both of 16 digits.
  private static let longestName = 54

  /// Takes the first candidate that can be used.
  init(candidates: [FilePath]) throws(Unusable) {
    var reasons: [String] = []
    for candidate in candidates {
      guard candidate.length <= Self.longestAddress - Self.longestName else {
        reasons.append("\(candidate) is too long for a socket")
        continue
      }
      do {
        try Self.prepare(candidate)
        path = candidate
        return
      } catch {
        reasons.append("\(candidate): \(error)")
      }
    }
    throw Unusable(description: reasons.joined(separator: "; "))
  }

  /// Makes a directory for this user alone, or checks the one that is there. Throws an `Errno` or ``Unusable``.
  package static func prepare(_ path: FilePath) throws {
    if path.withPlatformString({ mkdir($0, 0o700) }) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
    // lstat: a link that somebody else put into /tmp must not be followed.
    let status = try FileSystem.status(path, followingLinks: false)
    guard status.st_mode & S_IFMT == S_IFDIR else { throw Unusable(description: "not a directory") }
    guard status.st_uid == geteuid() else { throw Unusable(description: "belongs to user \(status.st_uid)") }
    guard status.st_mode & 0o077 == 0 else {
      throw Unusable(description: "is open to other users; run: chmod 700 \(path)")
    }
  }
}
