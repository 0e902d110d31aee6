import Glibc
package import SystemPackage

/// An exclusive `flock` of a file, held until it is released, or this process ends.
package struct FileLock {
  private let file: FileDescriptor

  /// flock(2) has no deadline, so others' locks are looked at this often, in microseconds.
  private static let interval: useconds_t = 1000

  /// Takes the lock of a file, made when it is missing; nil when others hold it for longer. Throws an `Errno` of the file's.
  ///
  /// - Parameter patience: nil: without bound.
  package init?(_ path: FilePath, within patience: Duration? = nil) throws {
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    let deadline = patience.map { ContinuousClock.now + $0 }
    while flock(file.rawValue, deadline == nil ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
      let error = Errno(rawValue: errno)
      if error == .interrupted { continue }
      guard error == .wouldBlock, let deadline, ContinuousClock.now < deadline else {
        try? file.close()
        if error == .wouldBlock { return nil }
        // Some file systems have no locks.
        throw error
      }
      usleep(Self.interval)
    }
    self.file = file
  }

  package func release() { try? file.close() }
}
