import BuildTools
import ControlProtocol
import SystemPackage
import SystemSupport

/// The directories of links that go first in PATH. One is made for each set of names and target and never changed
/// afterwards: CMake remembers compilers by their path, and another build may be using it.
struct LinkDirectory {
  /// `$XDG_DATA_HOME/fabrik/links`.
  let root: FilePath

  /// The directory with these links, which need not be there.
  func place(of links: Wiring.Links) -> FilePath {
    let identity = Array("\(links.target)\n\(links.names.joined(separator: "\n"))".utf8)
    return root.appending(ShortHash.name(of: identity))
  }

  /// The directory with these links, made when it is missing. Throws an `Errno`.
  func path(for links: Wiring.Links) throws -> FilePath {
    let path = place(of: links)
    if FileSystem.exists(path) { return path }
    try FileSystem.makeDirectories(root)
    let temporary = root.appending("\(path.lastComponent?.string ?? "").\(UInt64.random(in: 0...UInt64.max)).tmp")
    try FileSystem.makeDirectories(temporary)
    for name in links.names { try FileSystem.makeSymbolicLink(temporary.appending(name), to: links.target) }
    do {
      try FileSystem.rename(temporary, to: path)
    } catch {
      // Another build was first.
      for name in links.names { try? FileSystem.remove(temporary.appending(name)) }
      try? FileSystem.removeDirectory(temporary)
      guard FileSystem.exists(path) else { throw error }
    }
    return path
  }
}
