package import SystemPackage
import SystemSupport

/// Where this program lies, and what was installed with it.
enum Installation {
  /// This program's file, links followed; only its name if /proc is not there.
  static let program: FilePath = (try? FileSystem.realPath("/proc/self/exe")) ?? "fabrik"

  /// A file beside this program, or in libexec as `make install` puts it; nil when it is in neither place.
  static func find(_ name: String) -> FilePath? {
    guard program.isAbsolute else { return nil }
    let here = program.removingLastComponent()
    let candidates = [here.appending(name), here.appending("../libexec/fabrik/\(name)")]
    return candidates.first(where: FileSystem.exists)?.lexicallyNormalized()
  }
}

/// What is installed with this program.
package enum InstalledPart: String, CaseIterable, Sendable {
  case server = "fabrik-server"
  case execLibrary = "libfabrik-exec.so"
  case compilerLibrary = "libFabrikCAS.so"

  /// nil when it is missing.
  package var file: FilePath? { Installation.find(rawValue) }
}
