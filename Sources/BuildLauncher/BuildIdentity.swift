import ControlProtocol
package import SystemPackage
import SystemSupport

/// What a build has in common with others of the same project and command, wherever they run: another user's, and those
/// of a CI job with a fresh checkout in another place.
///
/// Two builds that are taken for one only fetch for each other in vain.
package struct BuildIdentity: Sendable, Equatable {
  /// The project: where git's `origin` is, or the name of its directory.
  let project: String
  /// Where the build runs, below the project's top.
  let directory: [UInt8]
  /// The command, without what may differ from one machine to the next.
  let words: [[UInt8]]

  /// Raised when plans of before are of no use any more.
  private static let version = "1"

  /// Reads two small files at most. nil where everything lies, as in the home directory.
  package init?(command: [[UInt8]], workingDirectory: FilePath, home: FilePath) {
    guard let top = Self.top(from: workingDirectory, home: home) else { return nil }
    var below = workingDirectory
    guard below.removePrefix(top) else { return nil }
    project = GitRepository(at: top)?.origin ?? top.lastComponent?.string ?? ""
    directory = below.bytes
    words = Self.words(of: command, below: top.bytes)
  }

  /// 16 hexadecimal digits.
  package var hash: String {
    let parts = [Array(Self.version.utf8), Array(project.utf8), directory] + words
    return ShortHash.name(of: Array(parts.joined(separator: [0])))
  }

  /// The repository, even where a part of it has a configuration of its own: what is below it has no name outside.
  private static func top(from directory: FilePath, home: FilePath) -> FilePath? {
    guard let root = ProjectRoot.find(from: directory, home: home) else { return nil }
    return root.ancestors.prefix { !home.starts(with: $0) }.first { FileSystem.exists($0.appending(".git")) } ?? root
  }

  private static func words(of command: [[UInt8]], below top: [UInt8]) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var isCount = false
    for (number, word) in command.enumerated() {
      defer { isCount = jobFlags.contains(word) }
      if number == 0 {
        words.append(word.split(separator: UInt8(ascii: "/")).last.map(Array.init) ?? word)
      } else if !isJobCount(word), !(isCount && isNumber(word[...])) {
        words.append(relative(word, to: top))
      }
    }
    return words
  }

  /// How many jobs run at the same time is the machine's affair: `-j`, `-j8`, `-j 8`, `--jobs=8`.
  private static let jobFlags = ["-j", "--jobs", "--parallel"].map { Array($0.utf8) }

  private static func isJobCount(_ word: [UInt8]) -> Bool {
    jobFlags.contains { flag in
      guard word.starts(with: flag) else { return false }
      var rest = word.dropFirst(flag.count)
      if rest.isEmpty { return true }
      if flag.count > 2, rest.popFirst() != UInt8(ascii: "=") { return false }
      return isNumber(rest)
    }
  }

  private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
    !text.isEmpty && text.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  /// The word with `.` in place of the project's own path, also in the middle, as in `-I/home/me/project/include`.
  private static func relative(_ word: [UInt8], to top: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = word[...]
    while let byte = rest.first {
      let behind = rest.dropFirst(top.count).first
      if rest.starts(with: top), behind == nil || behind == UInt8(ascii: "/") {
        result.append(UInt8(ascii: "."))
        rest = rest.dropFirst(top.count)
      } else {
        result.append(byte)
        rest = rest.dropFirst()
      }
    }
    return result
  }
}
