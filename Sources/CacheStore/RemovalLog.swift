import CStoreSupport
import Synchronization
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Why an entry was removed.
package enum RemovalCause: UInt8, Sendable {
  /// To make room.
  case evicted = 1
  case damaged = 2
  /// Another took its place.
  case replaced = 3
  /// A tool, or the user, asked for it.
  case removed = 4
}

/// Which entries were removed lately, and why: a file that all processes have mapped, so that neither noting nor asking
/// costs a system call. Each entry has one place, which a later one takes over; what it says is true or forgotten.
///
/// A place holds, as one word, the upper bits of the hash that the entry's file is named after, and a ``RemovalCause``.
final class RemovalLog: Sendable {
  /// Half a megabyte: what is evicted in one go, and then some.
  private static let places = 1 << 16
  private static let size = places * MemoryLayout<Int64>.size

  /// nil: the disk is full, or the file system cannot map.
  private nonisolated(unsafe) let words: Atomic<UnsafeMutablePointer<Int64>?>

  /// Maps the file, made when it is missing. Without it, nothing is remembered.
  init(path: FilePath) {
    words = Atomic(Self.map(path))
  }

  /// Maps the file anew, after somebody has deleted the cache's directory. The old one stays mapped, since others may be
  /// writing to it.
  func reopen(path: FilePath) {
    words.store(Self.map(path), ordering: .releasing)
  }

  private static func map(_ path: FilePath) -> UnsafeMutablePointer<Int64>? {
    let file = try? FileDescriptor.open(
      path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    guard let file else { return nil }
    defer { try? file.close() }
    // A page without a block behind it would kill the process (SIGBUS) on the first store to it when the disk is full.
    guard posix_fallocate(file.rawValue, 0, off_t(size)) == 0 else { return nil }
    let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.rawValue, 0)
    guard let pages, pages != MAP_FAILED else { return nil }
    return pages.bindMemory(to: Int64.self, capacity: places)
  }

  deinit {
    if let words = words.load(ordering: .relaxed) { munmap(words, Self.size) }
  }

  /// Notes the removal of the entry whose file has this path.
  func note(_ path: UnsafePointer<CChar>, _ cause: RemovalCause) {
    guard let words = words.load(ordering: .acquiring) else { return }
    let length = strlen(path)
    guard length >= 32 else { return }
    let name = UnsafeRawBufferPointer(start: path + (length - 32), count: 16)
    guard let bytes = name.withMemoryRebound(to: UInt8.self, { Hex.decode($0) }) else { return }
    let hash = bytes.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    let place = words + Self.place(of: hash)
    fabrik_atomic_store(place, Self.mark(of: hash) | Int64(cause.rawValue))
  }

  /// Why the entry of this name was removed last; nil when that is not known. It may be there again.
  func cause(of hash: fabrik_xxh128) -> RemovalCause? {
    guard let words = words.load(ordering: .acquiring) else { return nil }
    let word = fabrik_atomic_load(words + Self.place(of: hash.high))
    guard word & ~0xff == Self.mark(of: hash.high) else { return nil }
    return RemovalCause(rawValue: UInt8(truncatingIfNeeded: word))
  }

  private static func place(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash & UInt64(places - 1)) }

  private static func mark(of hash: UInt64) -> Int64 { Int64(bitPattern: hash & ~0xff) }
}
