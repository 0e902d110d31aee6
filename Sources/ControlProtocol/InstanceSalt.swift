package import SystemPackage
import SystemSupport

/// Random text that goes into an instance's name beside the team's secret. Everybody on this machine can see the name,
/// and without the salt could try out secrets until one gives that name.
package enum InstanceSalt {
  /// The salt kept in a directory, made when it is missing. Throws an `Errno`.
  package static func find(in directory: FilePath) throws -> String {
    let file = directory.appending("salt")
    if let salt = read(file) { return salt }
    try FileSystem.makeDirectories(directory, permissions: 0o700)
    let text = HTTPEndpoint.newToken() + "\n"
    // Of several launchers that make one, the first wins.
    try SmallFile.create(file, with: text)
    if read(file) == nil { try SmallFile.replace(file, with: text) }
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
