import Glibc
import SystemPackage
import SystemSupport

/// Tells whether a small file that is always replaced as a whole has changed.
struct FileStamp: Equatable {
  private let inode: UInt64
  private let size: Int64
  /// Nanoseconds since 1970.
  private let modified: Int64

  /// nil when there is no such file.
  init?(_ path: FilePath) {
    guard let status = try? FileSystem.status(path) else { return nil }
    inode = UInt64(status.st_ino)
    size = Int64(status.st_size)
    modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
  }

  /// Whether a change from now on would show: file systems keep times in steps, and numbers of inodes are used again.
  ///
  /// - Parameter time: milliseconds since 1970.
  func isSettled(at time: UInt64) -> Bool {
    modified / 1_000_000 + 1000 < Int64(clamping: time)
  }
}
