import Glibc
import Synchronization

/// Files that this process has checked, or written itself, by what tells that they have not changed since.
final class VerifiedBlobs: Sendable {
  struct Identity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let modifiedSeconds: Int
    let modifiedNanoseconds: Int

    /// What the file's content was found to have.
    let checksum: Checksum

    init(_ status: stat, _ checksum: Checksum) {
      self.checksum = checksum
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
      size = Int64(status.st_size)
      modifiedSeconds = status.st_mtim.tv_sec
      modifiedNanoseconds = status.st_mtim.tv_nsec
    }
  }

  /// 10 MB of memory at the most; forgetting costs one more check.
  private static let capacity = 100_000

  private let identities = Mutex<Set<Identity>>([])

  func contains(_ identity: Identity) -> Bool {
    identities.withLock { $0.contains(identity) }
  }

  func insert(_ identity: Identity) {
    identities.withLock { identities in
      if identities.count >= Self.capacity { identities.removeAll() }
      identities.insert(identity)
    }
  }
}
