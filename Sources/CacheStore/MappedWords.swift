import CStoreSupport
import Glibc
import Synchronization
import SystemPackage

/// Numbers of a file that all processes have mapped: to read or to write one costs no system call.
final class MappedWords: Sendable {
  private let path: FilePath
  private let count: Int
  /// nil: the file could not be mapped.
  private nonisolated(unsafe) let words = Atomic<UnsafeMutablePointer<Int64>?>(nil)

  /// Not mapped yet: all words are 0, and nothing is kept.
  init(path: FilePath, count: Int) {
    self.path = path
    self.count = count
  }

  deinit {
    if let words = words.load(ordering: .relaxed) { munmap(words, size) }
  }

  private var size: Int { count * MemoryLayout<Int64>.size }

  /// Maps the file, made when it is missing. Once more after somebody has deleted the cache's directory: others would
  /// not see what is written to the old one, which stays mapped, since threads may be writing to it. Throws an `Errno`.
  func map() throws {
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    defer { try? file.close() }
    // A page without a block behind it would kill the process (SIGBUS) on the first store to it when the disk is full.
    let failure = posix_fallocate(file.rawValue, 0, off_t(size))
    guard failure == 0 else { throw Errno(rawValue: failure) }
    let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.rawValue, 0)
    guard let pages, pages != MAP_FAILED else { throw Errno(rawValue: errno) }
    words.store(pages.bindMemory(to: Int64.self, capacity: count), ordering: .sequentiallyConsistent)
  }

  subscript(index: Int) -> Int64 {
    words.load(ordering: .acquiring).map { fabrik_atomic_load($0 + index) } ?? 0
  }

  func add(_ delta: Int64, at index: Int) {
    if let words = words.load(ordering: .acquiring) { _ = fabrik_atomic_add(words + index, delta) }
  }

  func store(_ value: Int64, at index: Int) {
    if let words = words.load(ordering: .acquiring) { fabrik_atomic_store(words + index, value) }
  }
}
