import CExecPolicy
import Configuration
import SystemPackage
import SystemSupport

/// C and C++ through ccache: compilers are reached through links to ccache that come first in PATH, or through CMake's
/// launcher variables, and ccache asks Fabrik instead of its own directory.
package enum CCache: BuildTool {
  package static let name = "ccache"
  package static let purpose = "C and C++"
  package static let namespaces = ["ccache"]

  package static func isDriven(by command: String) -> Bool {
    drivers.contains(command) || CompilerName.isCompiler(command)
  }

  private static let drivers: Set<String> = [
    "make", "gmake", "ninja", "samu", "cmake", "meson", "configure", "dpkg-buildpackage", "debuild", "bear",
  ]

  package static func wire(_ context: BuildContext) -> Wiring {
    if let variable = ["CCACHE_REMOTE_STORAGE", "CCACHE_SECONDARY_STORAGE"].first(where: context.isSet) {
      return .leftAlone("\(variable) is set")
    }
    if context.isSet("CCACHE_DISABLE") { return .leftAlone("CCACHE_DISABLE is set") }
    guard let program = context.host.find("ccache") else {
      return .unavailable("C and C++ are not cached: ccache is not installed (try: sudo apt install ccache)")
    }
    guard let version = context.host.version(of: program) else {
      return .unavailable("C and C++ are not cached: '\(program) --version' failed")
    }
    let settings = CCacheSettings(context)
    if let place = settings.place(of: "remote_storage") ?? settings.place(of: "secondary_storage") {
      return .leftAlone("a remote storage is set in \(place)")
    }
    guard let transport = transport(version: version) else {
      return .unavailable(
        "C and C++ are not cached: \(program) has no remote storage; ccache 4.7 or newer has (sudo apt install ccache)")
    }
    let compilers = context.host.programs("compilers", where: CompilerName.isCompiler)
    // The usual one, not a cross compiler that happens to come first.
    guard let compiler = compilers.first(where: { ["cc", "gcc", "clang"].contains($0.name) }) ?? compilers.first else {
      return .unavailable("C and C++ are not cached: there is no compiler on the PATH")
    }
    var wiring = Wiring()
    wiring.setProgram(program, version: version)
    wiring.variables.append(.init("CCACHE_REMOTE_STORAGE", transport.address(context.endpoints)))
    wiring.variables += settings.writableDirectory(context)
    for option in options(context, compilers) {
      if let place = context.variable(of: option) ?? settings.place(of: option.setting) {
        wiring.kept.append("ccache's \(option.setting), set in \(place)")
      } else {
        wiring.variables.append(.init(option.variable, option.value))
      }
    }
    for variable in ["CMAKE_C_COMPILER_LAUNCHER", "CMAKE_CXX_COMPILER_LAUNCHER"] {
      if context.isSet(variable) {
        wiring.kept.append(variable)
      } else {
        // The bare name: CMake remembers it, and a path might be gone by the next build.
        wiring.variables.append(.init(variable, "ccache"))
      }
    }
    guard
      context.host.compiles(with: program, compiler: compiler, remoteStorage: transport.nowhere(context.scratch))
    else {
      return .unavailable("C and C++ are not cached: \(program) fails when it is told to use Fabrik")
    }
    if !isLedAstrayByLinks(context) {
      wiring.links = .init(target: program, names: compilers.map(\.name))
      if isMesonToOverlookSccache(context) { wiring.shims = ["sccache"] }
    }
    wiring.silenceHint = "no C or C++ compiler asked for cached results; "
    if let library = context.execLibrary, !program.string.contains(":") {
      wiring.preload = library
      wiring.variables.append(.init(FABRIK_EXEC_VARIABLE, "\(program):\(context.projectRoot?.string ?? "")"))
      wiring.silenceHint += "one that is called by its path is not seen if it lies in the project, or is a script"
    } else {
      wiring.silenceHint +=
        "a compiler named by its absolute path, or a build directory configured without fabrik, is not seen"
    }
    return wiring
  }

  /// Meson prefers sccache to ccache when both are there, and sccache keeps results to itself. Who has told sccache, or
  /// Meson, what to do is left alone.
  private static func isMesonToOverlookSccache(_ context: BuildContext) -> Bool {
    // CMake would remember the link.
    guard context.program == "meson" || context.hasProjectFile("meson.build") else { return false }
    let isChosen = ["CC", "CXX", "OBJC", "OBJCXX"].contains { context.environment[$0]?.contains("sccache") == true }
    let isArranged = context.environment.entries.contains { $0.starts(with: "SCCACHE_".utf8) }
    guard !isChosen, !isArranged, context.host.find("sccache") != nil else { return false }
    let settings = context.environment.configurationDirectory
    return settings.map { context.host.exists($0.appending("sccache/config")) } != true
  }

  /// CMake, when it configures, remembers compilers by their paths; it has its launcher variables, and is not to remember
  /// our links. So does Bazel, however it is started, and it makes PATH a part of its keys; its actions may not write
  /// where ccache does.
  private static func isLedAstrayByLinks(_ context: BuildContext) -> Bool {
    if Bazel.isDriven(by: context.program) || context.hasProjectFile("MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel") {
      return true
    }
    guard context.program == "cmake" else { return false }
    return !context.command.contains { ["--build", "--install", "--open", "-E", "-P"].contains($0) }
  }

  /// How this ccache can reach a remote storage; nil when it cannot.
  private static func transport(version: String) -> Transport? {
    let lines = version.utf8.split(separator: UInt8(ascii: "\n"), maxSplits: 2)
    guard lines.count >= 2, let number = lines[0].split(separator: UInt8(ascii: " ")).last else { return nil }
    let features = lines[1].split(separator: UInt8(ascii: " "))
    if features.contains(where: { $0.elementsEqual("crsh-storage".utf8) }) { return .crsh }
    // `CCACHE_REMOTE_STORAGE` came with 4.7.
    guard let version = ToolVersion(Substring(number)), version >= ToolVersion(4, 7) else { return nil }
    return features.contains { $0.elementsEqual("http-storage".utf8) } ? .http : nil
  }

  /// The ways to a remote storage.
  private enum Transport {
    /// The storage helper protocol, over a Unix socket; 4.13 and later. For older ones such an address is a fatal error.
    case crsh
    case http

    /// The value of `CCACHE_REMOTE_STORAGE`.
    func address(_ endpoints: CacheEndpoints) -> String {
      switch self {
      case .crsh: "crsh:\(endpoints.crshSocket)|data-timeout=\(timeout)ms|request-timeout=\(timeout * 10)ms"
      case .http:
        "http://127.0.0.1:\(endpoints.httpPort)/ccache|layout=bazel|bearer-token=\(endpoints.httpToken)"
          + "|connect-timeout=\(timeout)|operation-timeout=\(timeout)"
      }
    }

    /// An address like the one that is injected, with nobody behind it.
    func nowhere(_ scratch: FilePath) -> String {
      address(CacheEndpoints(crshSocket: scratch.appending("none.sock"), httpPort: 9, httpToken: "none"))
    }
  }

  /// Milliseconds. The server answers in less than one; a hung one must not cost ccache's own 10 s per file, and a busy
  /// machine must not look like a hung one.
  private static let timeout = 2000

  /// A setting of ccache that makes entries fit other machines and directories.
  fileprivate struct Option {
    let variable: String
    /// Its name in `ccache.conf`.
    let setting: String
    let value: String
    /// `CCACHE_NO…` for a setting that is on or off.
    var negation: String?
  }

  private static func options(_ context: BuildContext, _ compilers: [Program]) -> [Option] {
    var options = [
      // One copy of each result on disk, in Fabrik's store.
      Option(variable: "CCACHE_REMOTE_ONLY", setting: "remote_only", value: "1", negation: "CCACHE_NOREMOTE_ONLY"),
      // Fabrik counts, and ccache's counting takes a tenth of a hit's time.
      Option(variable: "CCACHE_NOSTATS", setting: "stats", value: "1", negation: "CCACHE_STATS"),
    ]
    // ccache takes what follows a `$` for a variable.
    if let root = context.projectRoot, !root.string.contains("$") {
      // The same sources lie in another directory.
      options.append(Option(variable: "CCACHE_BASEDIR", setting: "base_dir", value: root.string))
    }
    if !compilers.allSatisfy({ isKnownByDate($0, context) }) {
      options.append(Option(variable: "CCACHE_COMPILERCHECK", setting: "compiler_check", value: "content"))
    }
    return options
  }

  /// Whether ccache's own way to tell compilers apart, by date and size, suits this one. Packages, archives and images
  /// keep the date, so it is the same on another machine. A compiler that was checked out or built below the home
  /// directory has another date everywhere, and one without a date (Nix) cannot be told from the next version; to read
  /// a compiler's content instead takes a fifth of a hit's time.
  private static func isKnownByDate(_ compiler: Program, _ context: BuildContext) -> Bool {
    let home = StandardPaths(environment: context.environment).home
    return compiler.modified > FABRIK_FIRST_CREDIBLE_DATE
      && context.projectRoot.map { compiler.file.starts(with: $0) } != true
      && (home == "/" || !compiler.file.starts(with: home))
  }
}

extension BuildContext {
  fileprivate func variable(of option: CCache.Option) -> String? {
    [option.variable, option.negation].compactMap { $0 }.first(where: isSet)
  }
}
