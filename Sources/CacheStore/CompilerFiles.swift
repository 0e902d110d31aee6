package import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Keeps the working directories of the compilers' plugin within bounds. Not a part of the store: what is gone is fetched
/// or made again, but not while a build relies on it. Servers share a lock as long as they have builds; who removes
/// something holds it alone. All of it may be cut short at any time, and several processes may do it at once.
package struct CompilerFiles: Sendable {
  /// The directories are below it.
  private let root: FilePath
  private let current: FilePath?

  /// Files that were used so lately, in milliseconds, stay: a build whose server has died may still rely on them.
  private static let sparedAge: UInt64 = 3_600_000
  /// It goes this far below the limit, so that it is rare.
  private static let lowWaterMark = 0.9
  /// What the names of directories that are being removed begin with.
  private static let removedPrefix = "removed."

  /// - Parameter current: the directory of this boot; nil: there is none.
  package init(root: FilePath, current: FilePath?) {
    self.root = root
    self.current = current
  }

  /// Bytes on disk that the files take, but for those that are in the store as well.
  package var size: UInt64 {
    directories.reduce(0) { sum, directory in
      var size: UInt64 = 0
      Self.forEachFile(below: directory) { _, status in size += Self.ownSize(status) }
      return sum + size
    }
  }

  /// Says that a build uses the directory of this boot, for as long as the descriptor is open. nil when there is none, or
  /// something is being removed from it at this moment.
  package func hold() -> FileDescriptor? {
    current.flatMap { Self.lock($0, LOCK_SH) }
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
      name.hasPrefix(Self.removedPrefix) || name.utf8.count == 16 && Hex.decode(Array(name.utf8)) != nil
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

  /// Removes what was not used for longest until this boot's directory is 10 % below its limit; only if it exceeds it.
  /// What killed compilers have left in `tmp` goes in any case. Blocks.
  ///
  /// - Parameters:
  ///   - limit: bytes.
  ///   - now: milliseconds since 1970.
  ///   - isWanted: whether a build has begun, which ends it.
  /// - Returns: bytes freed.
  @discardableResult
  package func trim(
    to limit: UInt64, now: UInt64 = CacheStore.systemTime(), unless isWanted: () -> Bool = { false }
  ) -> UInt64 {
    guard let current, let lock = Self.lock(current, LOCK_EX) else { return 0 }
    defer { try? lock.close() }
    var freed: UInt64 = 0
    func remove(_ path: UnsafePointer<CChar>, _ status: stat) {
      if !isWanted(), unlink(path) == 0 { freed += Self.ownSize(status) }
    }
    Self.forEachFile(in: current.appending("tmp")) { path, status in
      if Self.age(status, now) > Self.sparedAge { remove(path, status) }
    }
    var ages = AgeHistogram()
    var total: UInt64 = 0
    Self.forEachFile(below: current) { _, status in
      total += Self.ownSize(status)
      let age = Self.age(status, now)
      if age > Self.sparedAge { ages.add(Self.ownSize(status), age: age) }
    }
    guard total > limit else { return freed }
    let (cutoff, bytesOfCutoff) = ages.cutoff(removing: total - UInt64(Double(limit) * Self.lowWaterMark))
    var allowance = bytesOfCutoff
    Self.forEachFile(below: current) { path, status in
      let (age, size) = (Self.age(status, now), Self.ownSize(status))
      let bucket = AgeHistogram.bucket(age: age)
      guard age > Self.sparedAge, bucket >= cutoff, size > 0 else { return }
      if bucket == cutoff {
        guard allowance > 0 else { return }
        allowance -= min(allowance, size)
      }
      remove(path, status)
    }
    return freed
  }

  /// Milliseconds since a file was read or written. Many file systems note reads only once a day.
  private static func age(_ status: stat, _ now: UInt64) -> UInt64 {
    now - min(now, max(milliseconds(status.st_atim), milliseconds(status.st_mtim)))
  }

  /// Bytes on disk that are freed with a file: none when the store has it, too.
  private static func ownSize(_ status: stat) -> UInt64 {
    status.st_nlink > 1 ? 0 : CacheStore.diskSize(status.st_size)
  }

  private static func forEachFile(below directory: FilePath, _ body: (UnsafePointer<CChar>, stat) -> Void) {
    for kind in ["objects", "actions"] {
      let shards = directory.appending(kind)
      for shard in (try? FileSystem.entries(of: shards)) ?? [] { forEachFile(in: shards.appending(shard), body) }
    }
    forEachFile(in: directory.appending("tmp"), body)
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
