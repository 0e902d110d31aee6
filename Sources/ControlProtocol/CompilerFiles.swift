import Glibc
package import SystemPackage
import SystemSupport

/// Keeps the directories of ``CompilerDirectories`` within bounds: what is gone is fetched or made again, but not while a
/// build relies on it. Servers share a lock as long as they have builds; who removes
/// something holds it alone. All of it may be cut short at any time, and several processes may do it at once.
package struct CompilerFiles: Sendable {
  /// The directories are below it.
  private let root: FilePath
  private let current: FilePath?

  /// What the names of directories that are being removed begin with.
  private static let removedPrefix = "removed."

  package init(_ directories: CompilerDirectories) {
    self.init(root: directories.root, current: directories.current)
  }

  /// - Parameter current: the directory of this boot; nil: there is none.
  init(root: FilePath, current: FilePath?) {
    self.root = root
    self.current = current
  }

  /// Bytes on disk that the files take, but for those that are in the store as well.
  package var size: UInt64 {
    directories.reduce(0) { $0 + Self.size(of: $1) }
  }

  private static func size(of directory: FilePath) -> UInt64 {
    var size: UInt64 = 0
    forEachFile(below: directory) { _, status in size += ownSize(status) }
    return size
  }

  /// Says that a build uses the directory of this boot, for as long as the descriptor is open. nil when there is none, or
  /// something is being removed from it at this moment.
  ///
  /// - Parameter making: whether to make it when it is missing.
  package func hold(making: Bool = false) -> FileDescriptor? {
    if making, let current { try? FileSystem.makeDirectories(current, permissions: 0o700) }
    return current.flatMap { Self.lock($0, LOCK_SH) }
  }

  private static func lock(_ directory: FilePath, _ kind: CInt) -> FileDescriptor? {
    let file = try? FileDescriptor.open(
      directory.appending("lock"), .readWrite, options: [.create, .closeOnExec, .noFollow],
      permissions: .ownerReadWrite)
    guard let file else { return nil }
    if flock(file.rawValue, kind | LOCK_NB) == 0 { return file }
    try? file.close()
    return nil
  }

  private var directories: [FilePath] {
    ((try? FileSystem.entries(of: root)) ?? []).filter { name in
      name.hasPrefix(Self.removedPrefix)
        || name.utf8.count == CompilerDirectories.nameLength && Hex.decode(Array(name.utf8)) != nil
    }.map { root.appending($0) }
  }

  /// Removes the directories of other boots. Blocks.
  package func removeOthers() {
    for directory in directories where directory != current { _ = remove(directory) }
  }

  /// Removes all files that no build uses. Blocks.
  ///
  /// - Returns: bytes freed, and whether a build uses what is left.
  package func clear() -> (freed: UInt64, isInUse: Bool) {
    var result = (freed: UInt64(0), isInUse: false)
    for directory in directories {
      if let freed = remove(directory) { result.freed += freed } else { result.isInUse = true }
    }
    return result
  }

  /// Removes a directory under another name, so that a build that begins now has a new one. nil: one uses it.
  private func remove(_ directory: FilePath) -> UInt64? {
    guard let lock = Self.lock(directory, LOCK_EX) else { return FileSystem.exists(directory) ? nil : 0 }
    defer { try? lock.close() }
    var doomed = directory
    if !(directory.lastComponent?.string.hasPrefix(Self.removedPrefix) ?? false) {
      doomed = root.appending("\(Self.removedPrefix)\(UInt64.random(in: 0...UInt64.max))")
      guard (try? FileSystem.rename(directory, to: doomed)) != nil else { return 0 }
    }
    var freed: UInt64 = 0
    Self.forEachFile(below: doomed) { path, status in
      if unlink(path) == 0 { freed += Self.ownSize(status) }
    }
    try? FileSystem.removeTree(doomed)
    return freed
  }

  /// Removes this boot's directory as a whole when it has outgrown its limit, unless a build uses it: what compilers have
  /// is only of use with all that it leads to, and what is worth keeping is in the store. Blocks.
  ///
  /// - Parameter limit: bytes.
  /// - Returns: bytes freed.
  @discardableResult
  package func trim(to limit: UInt64) -> UInt64 {
    guard let current, Self.size(of: current) > limit else { return 0 }
    return remove(current) ?? 0
  }

  /// Bytes on disk that are freed with a file: none when the store has it, too.
  private static func ownSize(_ status: stat) -> UInt64 {
    status.st_nlink > 1 ? 0 : FileSystem.diskSize(status.st_size)
  }

  private static func forEachFile(below directory: FilePath, _ body: (UnsafePointer<CChar>, stat) -> Void) {
    for kind in [CompilerDirectories.objects, CompilerDirectories.actions] {
      let shards = directory.appending(kind)
      for shard in (try? FileSystem.entries(of: shards)) ?? [] { forEachFile(in: shards.appending(shard), body) }
    }
    forEachFile(in: directory.appending(CompilerDirectories.temporary), body)
  }

  private static func forEachFile(in directory: FilePath, _ body: (UnsafePointer<CChar>, stat) -> Void) {
    // A link to elsewhere is nothing that the plugin has made.
    guard let status = try? FileSystem.status(directory, followingLinks: false), status.st_mode & S_IFMT == S_IFDIR
    else { return }
    try? FileSystem.forEachEntry(of: directory) { name in
      directory.appending(String(cString: name)).withPlatformString { path in
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG { body(path, status) }
      }
    }
  }
}
