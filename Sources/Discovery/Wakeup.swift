import Glibc
import SystemPackage
import SystemSupport

/// Ends another thread's `poll`. Closed with its last reference.
final class Wakeup: Sendable {
  let readable: FileDescriptor
  private let writable: FileDescriptor

  /// Throws an `Errno`.
  init() throws {
    var ends: [CInt] = [-1, -1]
    // Unlike a pipe, made close-on-exec in one call that Swift has: no program that is started meanwhile gets them.
    let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    guard socketpair(AF_UNIX, CInt(type), 0, &ends) == 0 else { throw Errno(rawValue: errno) }
    (readable, writable) = (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
  }

  deinit {
    try? readable.close()
    try? writable.close()
  }

  func signal() {
    // One that is full wakes as well.
    _ = try? writable.writeAll([0])
  }

  func drain() {
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
      while let count = try? readable.read(into: buffer), count > 0 {}
    }
  }
}
