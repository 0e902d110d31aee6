package import Glibc
package import SystemPackage

/// The calls on paths that swift-system does not have. Each throws the `Errno` of its system call.
package enum FileSystem {
  /// Runs a system call that returns -1 on failure, again when a signal interrupted it.
  @discardableResult
  package static func check(_ call: () -> CInt) throws -> CInt {
    while true {
      let result = call()
      if result != -1 { return result }
      let error = Errno(rawValue: errno)
      if error != .interrupted { throw error }
    }
  }

  package static func rename(_ from: FilePath, to: FilePath) throws {
    try check { from.withPlatformString { old in to.withPlatformString { Glibc.rename(old, $0) } } }
  }

  package static func remove(_ path: FilePath) throws {
    try check { path.withPlatformString { unlink($0) } }
  }

  package static func removeDirectory(_ path: FilePath) throws {
    try check { path.withPlatformString { rmdir($0) } }
  }

  package static func status(_ path: FilePath, followingLinks: Bool = true) throws -> stat {
    var result = stat()
    try check { path.withPlatformString { followingLinks ? stat($0, &result) : lstat($0, &result) } }
    return result
  }

  /// What a file of this size takes on a disk of 4 KiB blocks.
  package static func diskSize(_ size: some BinaryInteger) -> UInt64 {
    (UInt64(size) + 4095) / 4096 * 4096
  }

  package static func exists(_ path: FilePath) -> Bool {
    (try? status(path)) != nil
  }

  package static func isExecutableFile(_ path: FilePath) -> Bool {
    guard let status = try? status(path), status.st_mode & S_IFMT == S_IFREG else { return false }
    return path.withPlatformString { access($0, X_OK) } == 0
  }

  /// Makes the directory and the missing ones above it; one that is there already is left as it is.
  package static func makeDirectories(_ path: FilePath, permissions: mode_t = 0o755) throws {
    if path.withPlatformString({ mkdir($0, permissions) }) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, path.removingLastComponent() != path else { throw Errno(rawValue: errno) }
    try makeDirectories(path.removingLastComponent(), permissions: permissions)
    if path.withPlatformString({ mkdir($0, permissions) }) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
  }

  package static func makeSymbolicLink(_ path: FilePath, to target: FilePath) throws {
    try check { target.withPlatformString { target in path.withPlatformString { symlink(target, $0) } } }
  }

  /// Gives a file a second name. Throws `Errno.fileExists` when there is a file of that name.
  package static func makeLink(_ path: FilePath, to file: FilePath) throws {
    try check { file.withPlatformString { file in path.withPlatformString { link(file, $0) } } }
  }

  package static func realPath(_ path: FilePath) throws -> FilePath {
    guard let resolved = path.withPlatformString({ realpath($0, nil) }) else { throw Errno(rawValue: errno) }
    defer { free(resolved) }
    return FilePath(platformString: resolved)
  }

  package static func currentDirectory() throws -> FilePath {
    guard let resolved = getcwd(nil, 0) else { throw Errno(rawValue: errno) }
    defer { free(resolved) }
    return FilePath(platformString: resolved)
  }

  /// Calls `body` with the name of each entry but `.` and `..`, in the directory's own order.
  package static func forEachEntry(of path: FilePath, _ body: (UnsafePointer<CChar>) throws -> Void) throws {
    guard let directory = path.withPlatformString({ opendir($0) }) else { throw Errno(rawValue: errno) }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      try withUnsafePointer(to: &entry.pointee.d_name) { field in
        try field.withMemoryRebound(to: CChar.self, capacity: 256) { name in
          if strcmp(name, ".") != 0, strcmp(name, "..") != 0 { try body(name) }
        }
      }
    }
  }

  /// Removes a directory and all below it; links are removed, not followed. Throws at the first failure.
  package static func removeTree(_ path: FilePath) throws {
    for name in try entries(of: path) {
      let child = path.appending(name)
      if try status(child, followingLinks: false).st_mode & S_IFMT == S_IFDIR {
        try removeTree(child)
      } else {
        try remove(child)
      }
    }
    try removeDirectory(path)
  }

  /// The names in a directory, in no particular order.
  package static func entries(of path: FilePath) throws -> [String] {
    var names: [String] = []
    try forEachEntry(of: path) { names.append(String(cString: $0)) }
    return names
  }
}
