package import Glibc
package import SystemPackage

/// Reading and replacing files of a few kilobytes without Foundation.
package enum SmallFile {
  /// More than any configuration or state file of a sane size; what is longer is not one.
  private static let limit = 1 << 20

  /// The whole file as text; nil when it cannot be read or is larger than 1 MiB.
  package static func read(_ path: FilePath) -> String? {
    try? contents(path)
  }

  /// The whole file as text. Throws an `Errno`.
  ///
  /// - Parameter check: looks at the opened file before it is read, and throws if it is not to be.
  package static func contents(_ path: FilePath, check: (stat) throws -> Void = { _ in }) throws -> String {
    String(decoding: try bytes(path, limit: limit, check: check), as: UTF8.self)
  }

  /// The whole file; nil when it cannot be read or is larger.
  ///
  /// - Parameter limit: bytes.
  package static func readBytes(_ path: FilePath, limit: Int) -> [UInt8]? {
    try? bytes(path, limit: limit)
  }

  private static func bytes(
    _ path: FilePath, limit: Int, check: (stat) throws -> Void = { _ in }
  ) throws -> [UInt8] {
    // A pipe of that name must not be waited for.
    let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
    defer { try? file.close() }
    var status = stat()
    try FileSystem.check { fstat(file.rawValue, &status) }
    if status.st_mode & S_IFMT == S_IFDIR { throw Errno.isDirectory }
    if status.st_mode & S_IFMT == S_IFIFO { throw Errno.invalidArgument }
    try check(status)
    var bytes: [UInt8] = []
    while bytes.count <= limit {
      let count = try withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 1) { buffer in
        let count = try file.read(into: buffer)
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return count
      }
      if count == 0 { return bytes }
    }
    throw Errno.fileTooLarge
  }

  /// Writes a text where a user has asked for it: a file is replaced as a whole, links are followed, and a device or a
  /// pipe is written to. Throws an `Errno`.
  package static func write(_ text: String, to path: FilePath) throws {
    let target = (try? FileSystem.realPath(path)) ?? path
    if let status = try? FileSystem.status(target), status.st_mode & S_IFMT != S_IFREG {
      let file = try FileDescriptor.open(target, .writeOnly, options: .closeOnExec)
      try file.closeAfter { _ = try file.writeAll(text.utf8) }
    } else {
      try replace(target, with: text, permissions: [.ownerReadWrite, .groupRead, .otherRead])
    }
  }

  /// Writes a new file, unless there is one of that name already, which then stays. Throws an `Errno`.
  package static func create(_ path: FilePath, with text: String) throws {
    try publish(path, Array(text.utf8), permissions: .ownerReadWrite) { temporary in
      defer { try? FileSystem.remove(temporary) }
      do { try FileSystem.makeLink(path, to: temporary) } catch Errno.fileExists {}
    }
  }

  /// Writes a new file and moves it over `path`, so that a reader sees the old text or the new. Throws an `Errno`.
  package static func replace(_ path: FilePath, with text: String, permissions: FilePermissions = .ownerReadWrite)
    throws
  {
    try replace(path, with: Array(text.utf8), permissions: permissions)
  }

  /// Writes a new file and moves it over `path`, so that a reader sees the old content or the new. Throws an `Errno`.
  package static func replace(_ path: FilePath, with bytes: [UInt8], permissions: FilePermissions = .ownerReadWrite)
    throws
  {
    try publish(path, bytes, permissions: permissions) { try FileSystem.rename($0, to: path) }
  }

  /// Writes a file beside `path` and lets `finish` give it that name.
  private static func publish(
    _ path: FilePath, _ bytes: [UInt8], permissions: FilePermissions, finish: (FilePath) throws -> Void
  ) throws {
    var temporary = path
    temporary.removeLastComponent()
    let unique = "\(path.lastComponent?.string ?? "file").\(UInt64.random(in: 0...UInt64.max)).tmp"
    temporary.append(unique)
    let file = try FileDescriptor.open(
      temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: permissions)
    do {
      try file.closeAfter { _ = try file.writeAll(bytes) }
      try finish(temporary)
    } catch {
      try? FileSystem.remove(temporary)
      throw error
    }
  }
}
