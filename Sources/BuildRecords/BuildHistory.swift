import Glibc
package import SystemPackage
import SystemSupport

/// The records of this user's last builds: one file for each, replaced as a whole, readable by its owner alone. May be used
/// by several processes at once.
package struct BuildHistory: Sendable {
  /// Builds that are remembered.
  package static let limit = 10
  /// Bytes; twice what ``LookupLog`` lets a record grow to.
  private static let largestFile = 16 << 20
  /// What a writer that was killed has left is removed after so many seconds.
  private static let abandonedAge = 3600

  private let directory: FilePath

  /// - Parameter stateDirectory: `$XDG_STATE_HOME/fabrik`; made when something is first written.
  package init(stateDirectory: FilePath) {
    directory = stateDirectory.appending("builds")
  }

  /// Keeps a record in the place of an earlier one of the same build, and forgets the oldest builds. Blocks. Throws an
  /// `Errno`.
  package func keep(_ record: BuildRecord) throws {
    try FileSystem.makeDirectories(directory, permissions: 0o700)
    try SmallFile.replace(directory.appending(Self.name(of: record)), with: record.encoded)
    removeOldest()
  }

  /// The records that can be read, the latest build's first.
  package func all() -> [BuildRecord] {
    names().reversed().prefix(Self.limit).compactMap { name in
      SmallFile.readBytes(directory.appending(name), limit: Self.largestFile).flatMap(BuildRecord.init(encoded:))
    }
  }

  /// Sorts by time.
  private static func name(of record: BuildRecord) -> String {
    let time = String(record.begin)
    return String(repeating: "0", count: max(0, 14 - time.count)) + "\(time)-\(record.process)"
  }

  /// In their order; without what is being written.
  private func names() -> [String] {
    ((try? FileSystem.entries(of: directory)) ?? []).filter {
      $0.utf8.first.map(Self.isDigit) == true && !$0.hasSuffix(".tmp")
    }
    .sorted()
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private func removeOldest() {
    for name in names().dropLast(Self.limit) { try? FileSystem.remove(directory.appending(name)) }
    for name in (try? FileSystem.entries(of: directory)) ?? [] where name.hasSuffix(".tmp") {
      let path = directory.appending(name)
      guard let status = try? FileSystem.status(path, followingLinks: false) else { continue }
      if time(nil) - status.st_mtim.tv_sec > Self.abandonedAge { try? FileSystem.remove(path) }
    }
  }
}
