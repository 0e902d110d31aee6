import CExecPolicy
import SystemPackage
import SystemSupport

/// The library that is loaded into programs that drive builds, and lets ccache run compilers that are called by their
/// paths.
enum ExecLibrary {
  static let variable = "LD_PRELOAD"

  /// The dynamic linker takes these apart.
  private static let separators: Set<UInt8> = [UInt8(ascii: ":"), UInt8(ascii: " ")]

  static func locate() -> FilePath? { InstalledPart.execLibrary.file }

  /// The library, if it may be loaded into this command.
  static func locate(for command: [UInt8], environment: Environment) -> FilePath? {
    // The C library runs /bin/sh by itself, past the library: it must not hand on what it does not know.
    guard suits(command, environment: environment), fabrik_drives_builds("/bin/sh"), let library = locate(),
      // `$` would be expanded.
      !library.bytes.contains(where: { separators.contains($0) || $0 == UInt8(ascii: "$") })
    else { return nil }
    return library
  }

  /// Whether the command drives builds, and bears the library.
  static func suits(_ command: [UInt8], environment: Environment) -> Bool {
    CommandLookup(environment: environment).firstExecutable(command)?.withPlatformString(fabrik_drives_builds) ?? false
  }

  /// Removes these libraries from what is preloaded; all others stay.
  static func remove(_ libraries: [[UInt8]], from environment: inout Environment) {
    guard let value = environment.bytes(variable) else { return }
    let entries = value.split(whereSeparator: separators.contains).map(Array.init)
    let kept = entries.filter { !libraries.contains($0) }
    guard kept.count < entries.count else { return }
    environment.setBytes(variable, kept.isEmpty ? nil : Array(kept.joined(separator: [UInt8(ascii: ":")])))
  }
}
