package import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Random text that goes into an instance's name beside the team's secret. Everybody on this machine can see the name,
/// and without the salt could try out secrets until one gives that name.
package enum InstanceSalt {
  /// The salt kept in a directory, made when it is missing. Throws an `Errno`.
  package static func find(in directory: FilePath) throws -> String {
    let file = directory.appending("salt")
    if let salt = read(file) { return salt }
    try FileSystem.makeDirectories(directory, permissions: 0o700)
    // Of several launchers that make one, the first wins: `link` replaces nothing.
    let own = directory.appending("salt.\(UInt64.random(in: 0...UInt64.max)).tmp")
    try SmallFile.replace(own, with: HTTPEndpoint.newToken() + "\n")
    defer { try? FileSystem.remove(own) }
    do {
      try FileSystem.check { own.withPlatformString { old in file.withPlatformString { link(old, $0) } } }
    } catch Errno.fileExists {
      // Damaged, unless another launcher has just made it.
      if read(file) == nil { try FileSystem.rename(own, to: file) }
    }
    guard let salt = read(file) else { throw Errno.noSuchFileOrDirectory }
    return salt
  }

  private static func read(_ file: FilePath) -> String? {
    guard let text = SmallFile.read(file), text.utf8.count == 33, text.utf8.last == UInt8(ascii: "\n") else {
      return nil
    }
    return String(text.dropLast())
  }
}
