import CStoreSupport
import Glibc
import Synchronization
import SystemPackage
import SystemSupport

/// A file under `tmp`, removed with its owner unless it was published. A shared lock tells collectors of all processes
/// that its writer lives.
final class TemporaryFile {
  let descriptor: CInt
  private let path: StoreLayout.RawPath
  private var isPublished = false
  private static let counter = Atomic<UInt64>(0)

  init(_ store: CacheStore) throws {
    path = store.layout.temporary(name: Self.newName)
    var descriptor = Self.create(path)
    if descriptor < 0, errno == ENOENT {
      try store.reopen()
      descriptor = Self.create(path)
    }
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    self.descriptor = descriptor
  }

  private static var newName: String {
    let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
    return "\(getpid()).\(UInt32.random(in: 0...UInt32.max)).\(number)"
  }

  /// A new file that is locked; negative, and `errno` set, when there can be none.
  private static func create(_ path: StoreLayout.RawPath) -> CInt {
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { return descriptor }
      // A collector holds its lock for as long as it takes to see that nobody else does.
      while flock(descriptor, LOCK_SH) != 0, errno == EINTR {}
      var status = stat()
      if fstat(descriptor, &status) == 0, status.st_nlink > 0 { return descriptor }
      // It came between the two, and took this for a file that a dead writer has left.
      close(descriptor)
    }
  }

  /// Takes over a file that another process has written there; nil when there is none.
  init?(_ store: CacheStore, adopting name: String) {
    guard !name.isEmpty, !name.hasPrefix("."), !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }) else {
      return nil
    }
    path = store.layout.temporary(name: name)
    descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    var status = stat()
    // Nobody else may have a name for it, under which it could be changed.
    guard descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1
    else {
      isPublished = true
      return nil
    }
    flock(descriptor, LOCK_SH | LOCK_NB)
    // Somebody deleted the whole cache directory, and the other process made this part of it anew.
    if !FileSystem.exists(store.layout.usage) { try? store.reopen() }
  }

  /// Gives a file of another process a second name here; nil when there is none, or it lies on another file system.
  init?(_ store: CacheStore, linking name: String, in directory: CInt) {
    path = store.layout.temporary(name: Self.newName)
    guard linkat(directory, name, AT_FDCWD, path, 0) == 0 else {
      descriptor = -1
      isPublished = true
      return nil
    }
    descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    flock(descriptor, LOCK_SH | LOCK_NB)
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if !isPublished { unlink(path) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw Errno(rawValue: errno)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// Gives the file its final name. False: there is a file of that name, which stays.
  func publish(as target: StoreLayout.RawPath) throws -> Bool {
    if rename(to: target) { return true }
    if errno == ENOENT {
      let directory = FilePath(platformString: target).removingLastComponent()
      try FileSystem.makeDirectories(directory, permissions: 0o700)
      if rename(to: target) { return true }
    }
    if errno == EEXIST { return false }
    throw Errno(rawValue: errno)
  }

  private func rename(to target: StoreLayout.RawPath) -> Bool {
    guard fabrik_rename_noreplace(path, target) == 0 else { return false }
    isPublished = true
    return true
  }
}
