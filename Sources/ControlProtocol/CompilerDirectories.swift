package import SystemPackage
import SystemSupport

/// Where the plugin in Swift's and Clang's compilers keeps what they make and use, so that a build goes on when its server
/// is gone: in the directory of the cache, beside the store, since files that the store has as well are there only once.
///
/// Each boot of the machine has its own, `compilers/<boot>`: after a power cut, nothing in it could be trusted. In it lie
/// `objects/ab/cdef…` and `actions/ab/cdef…`, `tmp` with what is being written, and `lock`. A directory may be removed as a
/// whole at any time; single files may not: who has an object takes it that all that it leads to is there, too.
package struct CompilerDirectories: Sendable {
  package let root: FilePath
  /// The name of this boot's directory, 16 hexadecimal digits; nil when the system does not tell.
  package let boot: String?

  /// Digits of a name of a boot's directory.
  static let nameLength = 16
  /// What is in one: these with directories of two digits, in which the files are, and the last with files.
  package static let (objects, actions, temporary) = ("objects", "actions", "tmp")

  /// - Parameter cacheDirectory: of the configuration.
  package init(cacheDirectory: FilePath) {
    root = cacheDirectory.appending("compilers")
    boot = Self.boot
  }

  /// The directory of builds that run now; nil when they can have none. It need not be there.
  package var current: FilePath? { boot.map { root.appending($0) } }

  /// Linux makes a new random UUID each time it starts.
  private static let boot: String? = {
    guard let text = SmallFile.read("/proc/sys/kernel/random/boot_id") else { return nil }
    let digits = text.filter(\.isHexDigit).lowercased()
    return digits.count == 32 ? String(digits.prefix(nameLength)) : nil
  }()
}
