import SystemPackage
import SystemSupport

/// C and C++ through ccache: compilers are reached through links to ccache that come first in PATH, or through CMake's
/// launcher variables, and ccache asks Fabrik instead of its own directory.
package enum CCache: BuildTool {
  package static let name = "ccache"
  package static let purpose = "C and C++"

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
    guard let storage = remoteStorage(version: version, endpoints: context.endpoints) else {
      return .unavailable(
        "C and C++ are not cached: \(program) has no remote storage; ccache 4.7 or newer has (sudo apt install ccache)")
    }
    var wiring = Wiring()
    wiring.variables.append(.init("CCACHE_REMOTE_STORAGE", storage))
    wiring.variables += settings.writableDirectory(context)
    for option in options(projectRoot: context.projectRoot) {
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
    let names = context.host.names("compilers", where: CompilerName.isCompiler)
    guard let compiler = names.first else {
      return .unavailable("C and C++ are not cached: there is no compiler on the PATH")
    }
    guard context.host.compiles(with: program, compiler: compiler, remoteStorage: nowhere(version, context)) else {
      return .unavailable("C and C++ are not cached: \(program) fails when it is told to use Fabrik")
    }
    wiring.links = .init(target: program, names: names)
    wiring.silenceHint = """
      no C or C++ compiler asked for cached results; \
      a compiler named by its absolute path, or a build directory configured without fabrik, is not seen
      """
    return wiring
  }

  /// The value of `CCACHE_REMOTE_STORAGE`: the storage helper protocol over a Unix socket where ccache has it (4.13 and
  /// later; for older ones such an address is a fatal error), else HTTP.
  private static func remoteStorage(version: String, endpoints: CacheEndpoints) -> String? {
    let features = version.split(separator: "\n").first { $0.hasPrefix("Features:") }?.split(separator: " ") ?? []
    if features.contains("crsh-storage") {
      return "crsh:\(endpoints.crshSocket)|data-timeout=\(timeout)ms|request-timeout=\(timeout * 10)ms"
    }
    guard features.contains("http-storage"), supportsRemoteStorage(version) else { return nil }
    return "http://127.0.0.1:\(endpoints.httpPort)/ccache|layout=bazel|bearer-token=\(endpoints.httpToken)"
      + "|connect-timeout=\(timeout)|operation-timeout=\(timeout)"
  }

  /// An address like the one that is injected, with nobody behind it.
  private static func nowhere(_ version: String, _ context: BuildContext) -> String {
    let endpoints = CacheEndpoints(crshSocket: context.scratch.appending("none.sock"), httpPort: 9, httpToken: "none")
    return remoteStorage(version: version, endpoints: endpoints) ?? ""
  }

  /// Milliseconds. The server answers in less than one; a hung one must not cost ccache's own 10 s per file, and a busy
  /// machine must not look like a hung one.
  private static let timeout = 2000

  /// `CCACHE_REMOTE_STORAGE` came with 4.7.
  private static func supportsRemoteStorage(_ version: String) -> Bool {
    guard let number = version.split(separator: "\n").first?.split(separator: " ").last else { return false }
    let parts = number.split(separator: ".").map { Int($0.prefix { $0.isNumber }) ?? 0 }
    return parts.count >= 2 && (parts[0] > 4 || (parts[0] == 4 && parts[1] >= 7))
  }

  /// A setting of ccache that makes entries fit other machines and directories.
  fileprivate struct Option {
    let variable: String
    /// Its name in `ccache.conf`.
    let setting: String
    let value: String
    /// `CCACHE_NO…` for a setting that is on or off.
    var negation: String?
  }

  private static func options(projectRoot: FilePath) -> [Option] {
    [
      // One copy of each result on disk, in Fabrik's store.
      Option(variable: "CCACHE_REMOTE_ONLY", setting: "remote_only", value: "1", negation: "CCACHE_NOREMOTE_ONLY"),
      // The same compiler has another date on another machine.
      Option(variable: "CCACHE_COMPILERCHECK", setting: "compiler_check", value: "content"),
      // The same sources lie in another directory.
      Option(variable: "CCACHE_BASEDIR", setting: "base_dir", value: projectRoot.string),
    ]
  }
}

extension BuildContext {
  fileprivate func isSet(_ variable: String) -> Bool { environment[variable] != nil }

  fileprivate func variable(of option: CCache.Option) -> String? {
    [option.variable, option.negation].compactMap { $0 }.first(where: isSet)
  }
}
