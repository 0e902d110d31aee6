import SystemPackage
package import SystemSupport

/// Finds the files that a command name may mean, as `execvp` does.
package struct CommandLookup: Sendable {
  /// Directories of the PATH, in order; an empty element is the working directory.
  package let directories: [[UInt8]]

  /// What the C library takes when PATH is not set (`confstr(_CS_PATH)`).
  static let defaultPath = Array("/bin:/usr/bin".utf8)

  package init(environment: Environment) {
    let path = environment.bytes("PATH").map(Array.init) ?? Self.defaultPath
    directories = path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map(Array.init)
  }

  /// The paths to try, in order. A name with a slash means just that file.
  package func candidates(for name: [UInt8]) -> [[UInt8]] {
    if name.contains(UInt8(ascii: "/")) || name.isEmpty { return [name] }
    return directories.map { $0.isEmpty ? name : $0 + [UInt8(ascii: "/")] + name }
  }

  /// The first candidate that is an executable file.
  func firstExecutable(_ name: [UInt8]) -> FilePath? {
    candidates(for: name).lazy.map { FilePath(bytes: $0) }.first(where: FileSystem.isExecutableFile)
  }
}
