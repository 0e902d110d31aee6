import BuildTools
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

/// A directory of links to all that is in another one, beside a few files of Fabrik's. It stays from one build to the
/// next, with the same path: what tools remember of it leads to the original. Any number of builds may bring it up to
/// date at once.
struct OverlayDirectory {
  let path: FilePath
  private let overlay: Wiring.Overlay

  init(path: FilePath, overlay: Wiring.Overlay) {
    self.path = path
    self.overlay = overlay
  }

  /// Throws an `Errno` when it could not be made as a whole; the original is as good as before.
  func update() throws {
    for name in overlay.directories { try FileSystem.makeDirectories(overlay.original.appending(name)) }
    try FileSystem.makeDirectories(path, permissions: 0o700)
    let files = overlay.additions.map { ($0, $0.path.removingLastComponent()) }
    let merged = Set(files.map(\.1.string))
    try link(path, to: overlay.original, except: merged)
    for directory in merged {
      let own = Set(files.filter { $0.1.string == directory }.compactMap { $0.0.path.lastComponent?.string })
      try FileSystem.makeDirectories(path.appending(directory), permissions: 0o700)
      try link(path.appending(directory), to: overlay.original.appending(directory), except: own)
    }
    for (file, _) in files {
      let target = path.pushing(file.path)
      if SmallFile.read(target) != file.text { try SmallFile.replace(target, with: file.text) }
    }
  }

  /// Makes `directory` lead to all that is in `original`, but for the names that are Fabrik's.
  private func link(_ directory: FilePath, to original: FilePath, except own: Set<String>) throws {
    // There may be nothing to lead to.
    let names = Set((try? FileSystem.entries(of: original)) ?? []).subtracting(own)
    for name in try FileSystem.entries(of: directory) where !own.contains(name) && !Self.isTemporary(name) {
      let (here, there) = (directory.appending(name), original.appending(name))
      // Another build may have removed it.
      guard let isLink = try? isLink(here) else { continue }
      guard isLink else {
        moveBack(here, to: there)
        continue
      }
      if !names.contains(name) { try? FileSystem.remove(here) }
    }
    for name in names {
      let here = directory.appending(name)
      do {
        try FileSystem.makeSymbolicLink(here, to: original.appending(name))
      } catch Errno.fileExists {
        // Nearly always the same link.
      }
    }
  }

  /// What a tool has made here belongs there, unless there is something of that name.
  private func moveBack(_ here: FilePath, to there: FilePath) {
    guard !FileSystem.exists(there) else { return }
    try? FileSystem.makeDirectories(there.removingLastComponent())
    // Fails from one file system to another. Then it stays where it is, and is found by the builds that use this overlay.
    guard (try? FileSystem.rename(here, to: there)) != nil else { return }
    try? FileSystem.makeSymbolicLink(here, to: there)
  }

  private func isLink(_ path: FilePath) throws -> Bool {
    try FileSystem.status(path, followingLinks: false).st_mode & S_IFMT == S_IFLNK
  }

  /// Of ``SmallFile/replace(_:with:permissions:)``, by another build.
  private static func isTemporary(_ name: String) -> Bool { name.hasSuffix(".tmp") && !name.hasPrefix(".") }
}

extension LinkDirectory {
  /// Where the overlay for builds with this private directory is, or would be.
  func place(of overlay: Wiring.Overlay, scratch: FilePath) -> FilePath {
    root.appending(ShortHash.name(of: Array("\(overlay.variable)\n\(overlay.original)\n\(scratch)".utf8)))
  }

  /// The overlay for builds with this private directory, brought up to date; nil when that fails.
  func path(for overlay: Wiring.Overlay, scratch: FilePath) -> FilePath? {
    for root in [root, scratch.appending("links")] {
      let path = LinkDirectory(root: root).place(of: overlay, scratch: scratch)
      let directory = OverlayDirectory(path: path, overlay: overlay)
      if (try? directory.update()) != nil { return directory.path }
    }
    return nil
  }
}
