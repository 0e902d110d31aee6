import SystemPackage
import SystemSupport

/// What can be read of a git repository without git (gitrepository-layout(5), git-config(1)).
struct GitRepository {
  private let configuration: String

  /// nil when there is none at `directory`. In a worktree, and in a submodule, `.git` is a file that says where it is.
  init?(at directory: FilePath) {
    let mark = directory.appending(".git")
    if let text = SmallFile.read(mark.appending("config")) {
      configuration = text
      return
    }
    guard let text = SmallFile.read(mark), text.hasPrefix("gitdir:"), let path = Self.line(text.dropFirst(7)) else {
      return nil
    }
    let own = directory.pushing(FilePath(path))
    // What worktrees have in common is in the repository they were made from.
    let common = SmallFile.read(own.appending("commondir")).flatMap { Self.line($0[...]) }
    let shared = common.map { own.pushing(FilePath($0)) } ?? own
    guard let text = SmallFile.read(shared.appending("config")) else { return nil }
    configuration = text
  }

  private static func line(_ text: Substring) -> String? {
    guard let line = text.split(whereSeparator: \.isNewline).first else { return nil }
    let trimmed = trim(line)
    return trimmed.isEmpty ? nil : trimmed
  }

  private static func trim(_ text: some StringProtocol) -> String {
    String(String(text.drop(while: \.isWhitespace)).reversed().drop(while: \.isWhitespace).reversed())
  }

  /// Where `origin` is, the same for each way to write and to reach it: `example.org/team/project`. nil: there is none.
  var origin: String? {
    var isOrigin = false
    for line in configuration.split(whereSeparator: \.isNewline) {
      var line = Self.trim(line)
      if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
        let section = line[..<end].dropFirst().split(separator: " ", maxSplits: 1)
        isOrigin = section.first?.lowercased() == "remote" && section.last.map(Self.trim) == "\"origin\""
        line = Self.trim(line[line.index(after: end)...])
      }
      let parts = line.split(separator: "=", maxSplits: 1)
      guard isOrigin, parts.count == 2, Self.trim(parts[0]).lowercased() == "url" else { continue }
      return Self.normalize(Self.trim(parts[1]).filter { $0 != "\"" })
    }
    return nil
  }

  /// Where a URL leads: host and path, without what differs from one clone to the next: how it is reached, as whom, and
  /// whether `.git` was written. Of a path on this machine, only the name is left. nil when nothing is left.
  static func normalize(_ url: String) -> String? {
    var place = url
    var isRemote = false
    if let scheme = url.firstRange(of: "://") {
      place = String(url[scheme.upperBound...])
      isRemote = !url.hasPrefix("file:")
      // The port is said only in URLs.
      if isRemote { place = removingUserAndPort(from: place) }
    } else if let colon = url.firstIndex(of: ":"), !url[..<colon].contains("/") {
      // [USER@]HOST:PATH, as ssh has it.
      isRemote = true
      let host = url[..<colon].split(separator: "@").last.map(String.init) ?? ""
      place = "\(host.lowercased())/\(url[url.index(after: colon)...])"
    }
    var parts = place.split(separator: "/").map(String.init)
    if let last = parts.last, last.hasSuffix(".git") { parts[parts.count - 1] = String(last.dropLast(4)) }
    if !isRemote { parts = parts.suffix(1) }
    let normal = parts.filter { !$0.isEmpty }.joined(separator: "/")
    return normal.isEmpty ? nil : normal
  }

  private static func removingUserAndPort(from place: String) -> String {
    let slash = place.firstIndex(of: "/") ?? place.endIndex
    var host = place[..<slash]
    if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
    if let colon = host.lastIndex(of: ":"), host[host.index(after: colon)...].allSatisfy(\.isNumber) {
      host = host[..<colon]
    }
    return host.lowercased() + place[slash...]
  }
}
