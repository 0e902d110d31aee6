import SystemPackage

/// How much the store holds, kept by all processes together in one mapped page, so that nobody has to count files.
///
/// A process that is killed between publishing and counting leaves the numbers off by that one entry; every collection
/// counts anew and corrects them.
final class UsageCounter: Sendable {
  private let words: MappedWords

  /// A page.
  private static let count = 4096 / MemoryLayout<Int64>.size

  /// The places of the numbers in the page.
  enum Field: Int {
    /// Bytes on disk, in whole blocks.
    case bytes = 0
    case entries = 1
    /// Entries that were found damaged, since the store was made.
    case damaged = 2
    /// Entries that were evicted, since the store was made.
    case evicted = 3
    /// Entries that were removed or replaced, since the store was made.
    case removals = 4
  }

  /// Maps the file, made when it is missing. Throws an `Errno`.
  init(path: FilePath) throws {
    words = MappedWords(path: path, count: Self.count)
    try words.map()
  }

  /// Maps the file anew, after somebody has deleted the cache's directory: the count of what is gone is wrong.
  func reopen() throws { try words.map() }

  subscript(field: Field) -> Int64 { words[field.rawValue] }

  func add(_ delta: Int64, to field: Field) { words.add(delta, at: field.rawValue) }
}
