import CacheStore
import ChannelSupport
import Glibc

/// Files that were handed out on one connection, whose client reads them whenever it likes: they are kept from being
/// evicted until it ends. Used on its event loop.
final class PinnedFiles {
  private let all: ActivityCount
  private var files: [Digest: BlobFile] = [:]
  private var isOver = false

  /// Files pinned by all connections: half of the descriptors there may be. Beyond that, what was handed out last is
  /// the last to be evicted.
  private static let most: Int = {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    return Int(min(limit.rlim_cur, 1 << 20)) / 2
  }()

  /// - Parameter all: the files pinned by all connections.
  init(all: ActivityCount) {
    self.all = all
  }

  func pin(_ file: BlobFile, _ digest: Digest) {
    guard !isOver, files[digest] == nil, all.current < Self.most else { return }
    files[digest] = file
    all.begin()
  }

  /// The connection has ended.
  func end() {
    isOver = true
    for _ in files { all.end() }
    files = [:]
  }
}
