import Glibc
package import SystemPackage

/// Sockets and pipes. All are close-on-exec and numbered from 3 on, even if a standard stream was
/// closed when this program was started. Each call throws the `Errno` of its system call.
package enum Sockets {
  /// For this user alone.
  package static func listen(unix path: FilePath, backlog: CInt) throws -> FileDescriptor {
    let descriptor = try make(AF_UNIX)
    try closing(descriptor) {
      try withUnixAddress(path) { address, length in
        try FileSystem.check { bind(descriptor.rawValue, address, length) }
      }
      // The directory is closed to others; this is the second lock on the door.
      try FileSystem.check { path.withPlatformString { chmod($0, 0o600) } }
      try FileSystem.check { Glibc.listen(descriptor.rawValue, backlog) }
    }
    return descriptor
  }

  package static func connect(unix path: FilePath) throws -> FileDescriptor {
    let descriptor = try make(AF_UNIX)
    try closing(descriptor) {
      try withUnixAddress(path) { address, length in
        try FileSystem.check { Glibc.connect(descriptor.rawValue, address, length) }
      }
    }
    return descriptor
  }

  /// - Parameter port: 0 for any that is free.
  package static func listen(loopbackPort port: UInt16, backlog: CInt) throws -> (FileDescriptor, port: UInt16) {
    let descriptor = try make(AF_INET)
    var address = sockaddr_in()
    try closing(descriptor) {
      // Connections of the last server may still be in TIME_WAIT.
      var on: CInt = 1
      setsockopt(descriptor.rawValue, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      try withUnsafeMutablePointer(to: &address) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
          try FileSystem.check { bind(descriptor.rawValue, pointer, length) }
          try FileSystem.check { Glibc.listen(descriptor.rawValue, backlog) }
          try FileSystem.check { getsockname(descriptor.rawValue, pointer, &length) }
        }
      }
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  /// A pipe. Its writing end does not block: what does not fit is refused.
  package static func pipe() throws -> (reader: FileDescriptor, writer: FileDescriptor) {
    var ends: [CInt] = [0, 0]
    try FileSystem.check { Glibc.pipe(&ends) }
    // One thread: nothing else can be started between the calls.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let reader = try raised(ends[0])
    let writer = try raised(ends[1])
    _ = fcntl(writer.rawValue, F_SETFL, O_NONBLOCK)
    return (reader, writer)
  }

  private static func make(_ family: CInt) throws -> FileDescriptor {
    let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    return try raised(try FileSystem.check { socket(family, type, 0) })
  }

  private static func raised(_ descriptor: CInt) throws -> FileDescriptor {
    guard descriptor < 3 else { return FileDescriptor(rawValue: descriptor) }
    defer { close(descriptor) }
    return FileDescriptor(rawValue: try FileSystem.check { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) })
  }

  private static func closing(_ descriptor: FileDescriptor, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      try? descriptor.close()
      throw error
    }
  }

  private static func withUnixAddress(
    _ path: FilePath, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void
  ) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = path.bytes
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw Errno.fileNameTooLong }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    try withUnsafePointer(to: address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
