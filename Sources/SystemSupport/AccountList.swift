package import SystemPackage

/// The list of users, `/etc/passwd`. A static program cannot ask NSS (`getpwuid`), and whoever has no `HOME` is mostly a
/// service user that is listed there.
package enum AccountList {
  package static let path: FilePath = "/etc/passwd"

  /// A user's home directory; nil when the list has none.
  ///
  /// - Parameter text: the list.
  package static func home(of user: UInt32, in text: String) -> FilePath? {
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count >= 6, fields[2] == "\(user)" else { continue }
      return fields[5].hasPrefix("/") ? FilePath(String(fields[5])) : nil
    }
    return nil
  }
}
