package import SystemPackage
import SystemSupport

/// Where the compilers of a user keep what they hand to each other: libFabrikCAS.so's working directory.
///
/// It lies beside the store, so that what both have is one file with two names. There is one for each start of the
/// machine: what a power failure has cut short is not used again. It may be removed as a whole at any time; single files
/// may not, as compilers take it that who has an object has all that it leads to.
package enum CompilerDirectory {
  /// The directory of such directories.
  package static func all(store: FilePath) -> FilePath { store.appending("compilers") }

  /// The one in use; nil when the system does not tell one start from another.
  package static func current(store: FilePath) -> FilePath? {
    guard let text = SmallFile.read("/proc/sys/kernel/random/boot_id") else { return nil }
    let digits = text.utf8.filter { $0 != UInt8(ascii: "-") && $0 > UInt8(ascii: " ") }
    guard digits.count >= nameLength else { return nil }
    return all(store: store).appending(String(decoding: digits.prefix(nameLength), as: UTF8.self))
  }

  /// Of the 32 digits of a random number.
  private static let nameLength = 16
}
