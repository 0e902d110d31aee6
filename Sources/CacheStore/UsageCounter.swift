import CStoreSupport
import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How much the store holds, kept by all processes together in one mapped page, so that nobody has to count files.
///
/// A process that is killed between publishing and counting leaves the numbers off by that one entry; every collection
/// counts anew and corrects them.
final class UsageCounter: Sendable {
  private nonisolated(unsafe) let words: Atomic<UnsafeMutablePointer<Int64>>
  private static let pageSize = 4096

  /// The places of the numbers in the page.
  enum Field: Int {
    /// Bytes on disk, in whole blocks.
    case bytes = 0
    case entries = 1
    /// Entries that were found damaged, since the store was made.
    case damaged = 2
    /// Entries that were evicted, since the store was made.
    case evicted = 3
    /// Entries that were removed or replaced, since the store was made.
    case removals = 4
  }

  /// Maps the file, made when it is missing. Throws an `Errno`.
  init(path: FilePath) throws {
    words = Atomic(try Self.map(path))
  }

  /// Maps the file anew, after somebody has deleted the cache's directory: others would not see what is counted in the
  /// old one, and the count of what is gone is wrong. The old page stays mapped, since others may be writing to it.
  func reopen(path: FilePath) throws {
    words.store(try Self.map(path), ordering: .sequentiallyConsistent)
  }

  private static func map(_ path: FilePath) throws -> UnsafeMutablePointer<Int64> {
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    defer { try? file.close() }
    guard ftruncate(file.rawValue, off_t(pageSize)) == 0 else { throw Errno(rawValue: errno) }
    // A page without a block behind it would kill the process (SIGBUS) on the first store to it when the disk is full.
    let failure = posix_fallocate(file.rawValue, 0, off_t(pageSize))
    guard failure == 0 else { throw Errno(rawValue: failure) }
    let page = mmap(nil, pageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.rawValue, 0)
    guard let page, page != MAP_FAILED else { throw Errno(rawValue: errno) }
    return page.bindMemory(to: Int64.self, capacity: pageSize / 8)
  }

  deinit { munmap(words.load(ordering: .relaxed), Self.pageSize) }

  subscript(field: Field) -> Int64 {
    fabrik_atomic_load(words.load(ordering: .acquiring) + field.rawValue)
  }

  func add(_ delta: Int64, to field: Field) {
    _ = fabrik_atomic_add(words.load(ordering: .acquiring) + field.rawValue, delta)
  }
}
