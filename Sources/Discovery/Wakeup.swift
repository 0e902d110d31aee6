import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Ends another thread's `poll`. Closed with its last reference.
final class Wakeup: Sendable {
  let readable: FileDescriptor
  private let writable: FileDescriptor

  /// Throws an `Errno`.
  init() throws {
    (readable, writable) = try FileDescriptor.pipe()
    for end in [readable, writable] {
      _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end.rawValue, F_SETFL, O_NONBLOCK)
    }
  }

  deinit {
    try? readable.close()
    try? writable.close()
  }

  func signal() {
    // A full pipe wakes as well.
    _ = try? writable.writeAll([0])
  }

  func drain() {
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
      while let count = try? readable.read(into: buffer), count > 0 {}
    }
  }
}
