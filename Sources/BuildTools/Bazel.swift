package import SystemPackage
import SystemSupport

/// Bazel (3 or newer). Its remote cache can be named in an rc file, and such a file on the command line.
///
/// PATH is a part of its keys, so directories of links must not be seen below it. Where Bazel is COMMAND there are none;
/// where a script or a Makefile starts it, a shim of its name takes them out: see `BazelShim`.
package enum Bazel: BuildTool {
  package static let name = "bazel"
  package static let purpose = "Bazel"
  package static let namespaces = ["bazel-ac", "bazel-cas"]

  package static let programs = ["bazel", "bazelisk"]

  /// Names the rc file, for the shim.
  package static let fileVariable = "FABRIK_BAZELRC"

  package static func isDriven(by command: String) -> Bool { programs.contains(command) }

  package static func wire(_ context: BuildContext) -> Wiring {
    isDriven(by: context.program) ? wireCommand(context) : wireShim(context)
  }

  private static func wireCommand(_ context: BuildContext) -> Wiring {
    let settings = BazelSettings(
      arguments: Array(context.command.dropFirst()), workingDirectory: context.workingDirectory,
      environment: context.environment, read: context.host.read)
    // COMMAND may be a path.
    let program =
      context.command[0].contains("/")
      ? context.workingDirectory.pushing(FilePath(context.command[0])) : context.host.find(context.program)
    let version = version(settings, wanted: context.environment["USE_BAZEL_VERSION"]) {
      program.flatMap(context.host.version)
    }
    if let objection = settings.objection(version: version) { return .leftAlone(objection) }
    var wiring = Wiring()
    wiring.program = program?.string
    let files = files(context)
    wiring.files = files
    wiring.arguments = ["--bazelrc=\(file(files[0].path, for: settings, version))"]
    wiring.silenceHint = silenceHint
    return wiring
  }

  private static func wireShim(_ context: BuildContext) -> Wiring {
    let names = programs.filter { context.host.find($0) != nil }
    guard !names.isEmpty else { return .leftAlone("there is no Bazel on the PATH") }
    var wiring = Wiring()
    wiring.program = context.host.find(names[0])?.string
    wiring.files = files(context)
    wiring.variables = [.init(fileVariable, wiring.files[0].path.string)]
    wiring.shims = names
    wiring.silenceHint = silenceHint
    return wiring
  }

  private static let silenceHint = """
    bazel asked for no cached results; was nothing to be done, or does a .bazelrc say where its cache is?
    """

  // MARK: - The rc file

  /// The plain file, which every Bazel understands, and the full one.
  private static func files(_ context: BuildContext) -> [Wiring.File] {
    let path = context.buildDirectory.appending("bazelrc")
    let plain = """
      build --remote_cache=\(context.endpoints.address(root))
      build "--remote_header=Authorization=Bearer \(context.endpoints.httpToken)"

      """
    // Since version 7, only what was asked for is fetched. Without the cache the rest would be missing.
    let full = plain + "build --remote_download_outputs=all\nbuild --remote_timeout=20\n"
    return [.init(path, plain), .init(FilePath("\(path)\(fullSuffix)"), full)]
  }

  private static let root = "/bazel"
  private static let fullSuffix = "-full"
  /// The first version that is known to have all of the full file's flags.
  private static let firstWithAllFlags = 4

  /// The file that suits.
  ///
  /// - Parameter plain: the one that every Bazel understands.
  package static func file(_ plain: FilePath, for settings: BazelSettings, _ version: BazelVersion?) -> FilePath {
    let isFull = settings.isPlain && (version?.major ?? 0) >= firstWithAllFlags
    return isFull ? FilePath("\(plain)\(fullSuffix)") : plain
  }

  /// - Parameters:
  ///   - wanted: `USE_BAZEL_VERSION`.
  ///   - printed: what `bazel --version` prints.
  package static func version(
    _ settings: BazelSettings, wanted: String?, printed: () -> String?
  ) -> BazelVersion? {
    if let wanted = wanted ?? settings.versionFile { return BazelVersion(wanted: wanted) }
    return printed().flatMap(BazelVersion.init(printed:))
  }
}
