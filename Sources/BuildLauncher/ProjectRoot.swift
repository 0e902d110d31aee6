package import SystemPackage
import SystemSupport

/// Finds the top of the source tree that a build belongs to.
package enum ProjectRoot {
  private static let repositoryMarks = [".fabrik.toml", ".git", ".hg", ".jj", ".svn"]
  private static let buildFiles = [
    "CMakeLists.txt", "configure", "configure.ac", "meson.build", "Makefile", "makefile", "GNUmakefile", "Cargo.toml",
    "Package.swift", "go.mod", "MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel",
    "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "CMakeCache.txt", "build.ninja",
  ]

  /// The nearest directory at or above `directory` that is a repository or has a `.fabrik.toml`. Without one, the
  /// highest of the directories above that have a build file in an unbroken row, so that a build in `project/build`
  /// belongs to `project`. Else `directory` itself. nil for the home directory and all above it, where everything lies.
  package static func find(from directory: FilePath, home: FilePath) -> FilePath? {
    guard directory != "/", !home.starts(with: directory) else { return nil }
    let line = directory.ancestors.prefix { !home.starts(with: $0) }
    if let repository = line.first(where: { has(repositoryMarks, in: $0) }) { return repository }
    var top = directory
    for parent in line.dropFirst() {
      guard has(buildFiles, in: parent) else { break }
      top = parent
    }
    return top
  }

  private static func has(_ names: [String], in directory: FilePath) -> Bool {
    names.contains { FileSystem.exists(directory.appending($0)) }
  }
}
