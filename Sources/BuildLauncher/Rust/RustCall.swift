import SystemPackage
import SystemSupport

/// One call of a compiler by cargo, or by a build script that tries something out.
struct RustCall {
  /// Whether sccache may have, or come to have, the result. What it would only pass on is better run without it: the
  /// compiler then keeps the build's terminal, jobserver and signals.
  let isWorthAsking: Bool

  /// - Parameter arguments: the compiler, and its arguments.
  init(_ arguments: [[UInt8]]) {
    let words = arguments.map { String(decoding: $0, as: UTF8.self) }
    // Another compiler, as clippy or a wrapper of the workspace's, sccache might not know, which fails the build.
    guard let compiler = words.first, FilePath(compiler).lastComponent?.string == "rustc" else {
      isWorthAsking = false
      return
    }
    var isNamed = false
    var types: [String] = []
    var hasReason = false
    for (before, word) in zip(words, words.dropFirst()) {
      switch word {
      case "--crate-name": isNamed = true
      case "-", "--test", "-vV", "-V", "--version": hasReason = true
      default:
        if before == "--crate-type" { types.append(word) }
        if word.hasPrefix("--crate-type=") { types.append(String(word.dropFirst("--crate-type=".count))) }
        if word.hasPrefix("--crate-name=") { isNamed = true }
        if word.hasPrefix("--print") || word.hasPrefix("-Cincremental=") { hasReason = true }
        if before == "-C" || before == "--codegen", word.hasPrefix("incremental=") { hasReason = true }
      }
    }
    isWorthAsking = isNamed && !hasReason && types.contains { Self.cachedTypes.contains($0) }
  }

  private static let cachedTypes: Set<String> = ["lib", "rlib", "staticlib", "proc-macro"]

  /// The environment without what says how cargo is to work, and has nothing to say to a compiler: sccache makes a part
  /// of the key of every variable that begins with `CARGO_`, and a CI job and a developer would never meet.
  static func environment(_ environment: Environment) -> Environment {
    Environment(
      entries: environment.entries.filter { entry in
        !entry.starts(with: "CARGO_INCREMENTAL=".utf8) && !entry.starts(with: "CARGO_TERM_".utf8)
      })
  }
}
