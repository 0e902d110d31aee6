package import SystemPackage
package import SystemSupport

/// What the user has said of remote caches to one call of Bazel: on its command line and in its rc files.
///
/// Source: Bazel's documentation, "Write bazelrc configuration files".
package struct BazelSettings {
  /// Names of options that stand somewhere, in whichever configuration.
  private var options: Set<Substring> = []
  private let arguments: [String]
  private let read: (FilePath) -> String?
  private let workspace: FilePath?
  private let workingDirectory: FilePath
  private var seen: Set<FilePath> = []

  private static let workspaceFiles = ["MODULE.bazel", "REPO.bazel", "WORKSPACE", "WORKSPACE.bazel"]
  /// Files that one call reads; more are a circle, or not worth the time.
  private static let mostFiles = 32

  /// - Parameters:
  ///   - arguments: behind the program's name.
  ///   - read: gives a small file's text.
  package init(
    arguments: [String], workingDirectory: FilePath, environment: Environment, read: @escaping (FilePath) -> String?
  ) {
    // What follows is for the program that is run.
    self.arguments = Array(arguments.prefix { $0 != "--" })
    self.read = read
    self.workingDirectory = workingDirectory
    workspace = workingDirectory.ancestors.first { directory in
      Self.workspaceFiles.contains { read(directory.appending($0)) != nil }
    }
    for argument in self.arguments { note(argument) }
    if has("ignore_all_rc_files") { return }
    if !has("nosystem_rc") { readFile("/etc/bazel.bazelrc") }
    if let workspace, !has("noworkspace_rc") { readFile(workspace.appending(".bazelrc")) }
    if let home = environment.absolutePath("HOME"), !has("nohome_rc") { readFile(home.appending(".bazelrc")) }
    for file in namedFiles { readFile(workingDirectory.pushing(FilePath(file))) }
  }

  /// Whether an option stands anywhere: its name without dashes.
  package func has(_ option: String) -> Bool { options.contains(option[...]) }

  /// Why this call is left as it is; nil: it can be given a cache.
  package func objection(version: BazelVersion?) -> String? {
    // Bazelisk has words of its own, which must come first.
    if let first = arguments.first, ["--version", "--strict", "--migrate", "--bisect"].contains(where: first.hasPrefix)
    {
      return "\(first) was given"
    }
    for option in ["remote_cache", "remote_executor", "remote_http_cache", "ignore_all_rc_files", "digest_function"]
    where has(option) {
      return "--\(option) is set"
    }
    guard let version else { return "its version is not known" }
    // They may not know all flags, and an unknown one fails the build.
    if (1..<3).contains(version.major) { return "it is older than version 3" }
    // Older ones read one such file.
    if has("bazelrc"), version.major < 6 { return "--bazelrc was given" }
    return nil
  }

  /// Whether how much is fetched, and how long that may take, is left to Fabrik.
  package var isPlain: Bool {
    !options.contains { $0.hasPrefix("remote_download_") || $0 == "experimental_remote_download_outputs" }
      && !has("remote_timeout")
  }

  /// The first line of the workspace's `.bazelversion`.
  package var versionFile: String? {
    workspace.flatMap { read($0.appending(".bazelversion")) }
      .map { String($0.prefix { !$0.isNewline }) }
  }

  private mutating func note(_ word: some StringProtocol) {
    let word = word.drop { $0 == "\"" || $0 == "'" }
    guard word.hasPrefix("--") else { return }
    options.insert(Substring(word.dropFirst(2).prefix { $0 != "=" && $0 != "\"" && $0 != "'" }))
  }

  private var namedFiles: [String] {
    arguments.indices.compactMap { index in
      let argument = arguments[index]
      if argument.hasPrefix("--bazelrc=") { return String(argument.dropFirst("--bazelrc=".count)) }
      return argument == "--bazelrc" && index + 1 < arguments.count ? arguments[index + 1] : nil
    }
  }

  private mutating func readFile(_ path: FilePath) {
    guard seen.count < Self.mostFiles, seen.insert(path).inserted, let text = read(path) else { return }
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
      if words.count > 1, words[0] == "import" || words[0].hasPrefix("try-import") {
        // The last word: `try-import-if-bazel-version` has a condition before.
        importFile(words[words.count - 1])
      } else {
        for word in words { note(word) }
      }
    }
  }

  private mutating func importFile(_ name: Substring) {
    let name = name.filter { $0 != "\"" && $0 != "'" }
    let place = "%workspace%"
    if !name.hasPrefix(place) {
      readFile(workingDirectory.pushing(FilePath(name)))
    } else if let workspace {
      readFile(workspace.appending(String(name.dropFirst(place.count).drop { $0 == "/" })))
    }
  }
}
