import SystemPackage
import SystemSupport

/// One call of Swift's compiler driver: whether its compilations may be cached, and what else has to be in their keys.
struct SwiftCall: Equatable {
  enum Verdict: Equatable {
    case cached
    /// Compiled anew each time, with what is cached of other modules: a module of tests. What the package manager reads
    /// from the index to find tests is not a part of what is cached.
    case partlyCached
    /// Why not.
    case plain(Reason)
  }

  enum Reason: Equatable {
    /// It compiles nothing whose result is kept.
    case noCompilation
    /// The user has said how to cache.
    case usersChoice
    /// A plugin whose content cannot be known.
    case plugin
    /// What the compiler's cache does not know how to do.
    case unsupported
  }

  private(set) var verdict: Verdict
  /// Implementations of macros: programs that the compiler runs, which it does not make a part of a key.
  private(set) var macros: [FilePath] = []
  /// The options that say what is to be written beside objects, sorted: the compiler does not make them a part of a key,
  /// and leaves out what was not asked for the first time.
  private(set) var outputs: [String] = []
  private(set) var hasDiagnosticStyle = false
  /// Whether the paths of sources get into what is compiled, to be found by them: for reports of coverage.
  private(set) var namesSources = false
  /// Whether a source is named relative to the working directory, which the compiler does not make a part of a key.
  private(set) var hasRelativeSource = false
  private(set) var hasBatchCount = false
  /// Whether the driver is to find out by itself which files have to be compiled.
  private(set) var isIncremental = false

  /// - Parameters:
  ///   - arguments: without the compiler's path.
  ///   - toolchain: the directory of the compiler's `bin`; plugins below it are a part of the toolchain.
  ///   - read: the content of a response file.
  init(_ arguments: [String], toolchain: FilePath, read: (FilePath) -> String? = { SmallFile.read($0) }) {
    verdict = .plain(.unsupported)
    guard let words = Self.expand(arguments, depth: 0, read: read) else { return }
    verdict = examine(words, toolchain: toolchain)
  }

  /// Whether the driver is told to run another compiler than its toolchain's, of which keys would know nothing.
  static func isCompilerReplaced(in environment: Environment) -> Bool {
    environment["SWIFT_DRIVER_SWIFT_FRONTEND_EXEC"] != nil
  }

  /// Response files may name others, this deep.
  private static let deepestFile = 8

  /// The arguments with those of response files in their place; nil when one cannot be read: the driver takes such an
  /// argument for itself.
  private static func expand(_ arguments: [String], depth: Int, read: (FilePath) -> String?) -> [String]? {
    var words: [String] = []
    for argument in arguments {
      guard argument.hasPrefix("@"), argument.utf8.count > 1 else {
        words.append(argument)
        continue
      }
      guard depth < deepestFile, let text = read(FilePath(String(argument.dropFirst()))),
        let expanded = expand(Self.words(of: text), depth: depth + 1, read: read)
      else { return nil }
      words += expanded
    }
    return words
  }

  static let incrementalOption = "-incremental"

  /// Options that are followed by a word of their own, which is none of the driver's options.
  private static let valued: Set<String> = [
    "-Xcc", "-Xlinker", "-Xclang-linker", "-module-name", "-I", "-L", "-F", "-D", "-target", "-sdk",
    "-module-cache-path", "-emit-module-path", "-output-file-map", "-j", "-num-threads", "-swift-version",
    "-index-store-path", "-package-name", "-module-link-name",
  ]

  /// What makes a call something else than a compilation, or one that stays as it is.
  private static let reasons: [String: Reason] = {
    var reasons: [String: Reason] = [:]
    for option in [
      "-print-target-info", "-print-supported-features", "-emit-supported-features", "-version", "--version", "-help",
      "--help", "-h", "-help-hidden", "-frontend", "-repl", "-i", "-interpret", "-lldb-repl", "-modulewrap",
      "-scan-dependencies", "-emit-pcm", "-emit-imported-modules", "-parse", "-typecheck", "-dump-ast", "-dump-parse",
      "-print-ast", "-dump-type-info", "-resolve-imports", "-index-file", "-dump-scope-maps",
      "-dump-availability-scopes",
      "-dump-usr", "-dump-interface-hash", "-dump-pcm", "-print-educational-notes", "-driver-print-jobs", "-###",
      "-driver-print-bindings", "-driver-print-actions", "-emit-syntax", "-v", "-",
      // Manifests and plugins of the package manager, which has a cache of its own for what they say.
      "-package-description-version", "-lPackageDescription", "-lPackagePlugin",
    ] { reasons[option] = .noCompilation }
    for option in [
      "-cache-compile-job", "-no-cache-compile-job", "-cas-path", "-cas-plugin-path", "-cas-plugin-option",
      "-explicit-module-build", "-no-explicit-module-build", "-cache-disable-replay", "-disallow-use-new-driver",
    ] { reasons[option] = .usersChoice }
    for option in ["-load-resolved-plugin", "-load-pass-plugin", "-load-plugin-library"] { reasons[option] = .plugin }
    for option in [
      // Is not found in the directory that its path is relative to.
      "-import-objc-header", "-internal-import-bridging-header",
      // Another compiler than the one that keys tell of.
      "-driver-use-frontend-path", "-tools-directory",
      // Are not written when a result comes from the cache.
      "-save-temps", "-emit-loaded-module-trace", "-emit-loaded-module-trace-path", "-track-dependencies",
      // May print something each time.
      "-Xllvm",
      // What is added would be taken for sources.
      "--",
      // Goes to standard output, or hardly ever twice.
      "-S", "-emit-assembly", "-emit-ir", "-emit-irgen", "-emit-bc", "-emit-sil", "-emit-silgen", "-emit-sib",
      "-emit-sibgen", "-emit-lowered-sil", "-embed-bitcode", "-embed-bitcode-marker",
    ] { reasons[option] = .unsupported }
    return reasons
  }()

  /// Beginnings of options that are not supported: files whose content is not a part of a key, files that are not written
  /// when a result comes from the cache, and what is printed of the compilation itself.
  private static let unsupportedPrefixes = [
    "-profile-use", "-profile-sample-use", "-const-gather-protocols", "-save-optimization-record", "-debug-time-",
    "-print-stats", "-trace-stats", "-stats-output-dir",
  ]

  private mutating func examine(_ arguments: [String], toolchain: FilePath) -> Verdict {
    // What is for the compiler itself stands behind an option each; plugins are named by either.
    let words = arguments.filter { $0 != "-Xfrontend" }
    var hasSource = false
    var outputs: Set<String> = []
    var isMapped = false
    var isTest = false
    var index = words.startIndex
    func next() -> String? {
      index += 1
      return index < words.endIndex ? words[index] : nil
    }
    while index < words.endIndex {
      let word = words[index]
      if let reason = Self.reasons[word] { return .plain(reason) }
      if Self.unsupportedPrefixes.contains(where: word.hasPrefix) { return .plain(.unsupported) }
      switch word {
      case "-load-plugin-executable":
        // `PATH#MODULE,MODULE`
        guard let path = next()?.split(separator: "#").first.map({ FilePath(String($0)) }) else {
          return .plain(.plugin)
        }
        if !path.lexicallyNormalized().starts(with: toolchain) { macros.append(path) }
      case "-plugin-path", "-external-plugin-path", "-in-process-plugin-server-path":
        // `DIRECTORY`, or `DIRECTORY#SERVER`
        guard let paths = next()?.split(separator: "#").map({ FilePath(String($0)) }), !paths.isEmpty,
          paths.allSatisfy({ $0.lexicallyNormalized().starts(with: toolchain) })
        else { return .plain(.plugin) }
      case "-o":
        if next() == "-" { return .plain(.unsupported) }
      default:
        if word == "-output-file-map" { isMapped = true }
        if word == Self.incrementalOption { isIncremental = true }
        if word == "-driver-batch-count" { hasBatchCount = true }
        if word == "-profile-coverage-mapping" { namesSources = true }
        // The package manager gives it to modules of tests alone.
        if word == "-enable-cross-import-overlays" { isTest = true }
        if word == "-diagnostic-style" || word.hasPrefix("-diagnostic-style=") { hasDiagnosticStyle = true }
        if word.hasPrefix("-emit-") || word.hasPrefix("-serialize-") { outputs.insert(word) }
        if Self.valued.contains(word) {
          index += 1
        } else if word.hasPrefix("-driver-mode=") || word.hasPrefix("--driver-mode=") {
          return .plain(.unsupported)
        } else if word.hasSuffix(".swift"), !word.hasPrefix("-") {
          hasSource = true
          if !word.hasPrefix("/") { hasRelativeSource = true }
        }
      }
      index += 1
    }
    // It is not known where they would go.
    if outputs.contains("-emit-dependencies"), !isMapped { return .plain(.unsupported) }
    self.outputs = outputs.sorted()
    guard hasSource else { return .plain(.noCompilation) }
    return isTest ? .partlyCached : .cached
  }

  /// The words of a response file, as Swift's driver finds them: between white space, on each line by itself. Either
  /// quotation mark begins and ends what is taken as it is, but for backslashes; a line that begins with `//` says nothing.
  static func words(of text: String) -> [String] {
    text.split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }).flatMap { line -> [String] in
      if line.hasPrefix("//") { return [] }
      var words: [String] = []
      var word = ""
      var isQuoted = false
      var isEscaped = false
      for character in line {
        if isEscaped {
          word.append(character)
          isEscaped = false
        } else if character == "\\" {
          isEscaped = true
        } else if character == "\"" || character == "'" {
          isQuoted.toggle()
        } else if character.isWhitespace, !isQuoted {
          if !word.isEmpty { words.append(word) }
          word = ""
        } else {
          word.append(character)
        }
      }
      return word.isEmpty ? words : words + [word]
    }
  }
}
