package import Glibc
package import SystemPackage
import SystemSupport

/// What tests do with files as a whole.
package enum Files {
  package static func write(_ bytes: [UInt8], to path: FilePath) throws {
    try FileSystem.makeDirectories(path.removingLastComponent())
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate, .closeOnExec],
      permissions: [.ownerReadWrite, .groupRead, .otherRead])
    try file.closeAfter { _ = try file.writeAll(bytes) }
  }

  package static func write(_ text: String, to path: FilePath) throws {
    try write(Array(text.utf8), to: path)
  }

  package static func read(_ path: FilePath) throws -> [UInt8] {
    let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    return try file.closeAfter {
      var bytes = [UInt8](repeating: 0, count: Int(try file.seek(offset: 0, from: .end)))
      try file.seek(offset: 0, from: .start)
      let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
      return Array(bytes[..<count])
    }
  }

  /// All files below a directory, sorted; none when it is not there.
  package static func all(below directory: FilePath) -> [FilePath] {
    var files: [FilePath] = []
    for name in (try? FileSystem.entries(of: directory)) ?? [] {
      let path = directory.appending(name)
      guard let status = try? FileSystem.status(path, followingLinks: false) else { continue }
      if status.st_mode & S_IFMT == S_IFDIR { files += all(below: path) } else { files.append(path) }
    }
    return files.sorted { $0.string < $1.string }
  }

  /// Bytes of a file.
  package static func size(_ path: FilePath) throws -> UInt64 {
    UInt64(try FileSystem.status(path).st_size)
  }

  /// The permission bits of a file or directory.
  package static func permissions(_ path: FilePath) throws -> UInt32 {
    try FileSystem.status(path).st_mode & 0o7777
  }

  package static func setModificationTime(_ time: timespec, of path: FilePath) throws {
    let times = [time, time]
    try FileSystem.check { path.withPlatformString { utimensat(AT_FDCWD, $0, times, 0) } }
  }
}
