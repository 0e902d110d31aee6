import Glibc
import SystemPackage
import SystemSupport

/// Java, Kotlin and whatever else Gradle (4 or newer) builds. Its remote cache can only be named in a script: Gradle as
/// COMMAND gets it as an argument; for what a script or a Makefile starts, it lies in a home directory of Gradle's that
/// is the user's in all else.
package enum Gradle: BuildTool {
  package static let name = "gradle"
  package static let purpose = "Gradle"
  package static let namespaces = ["gradle"]

  package static func isDriven(by command: String) -> Bool { command == "gradle" || command == "gradlew" }

  package static func wire(_ context: BuildContext) -> Wiring {
    let isCommand = isDriven(by: context.program)
    guard let home = home(context) else { return .leftAlone("Gradle's home directory is not known") }
    let places = [home] + (context.projectRoot.map { [$0] } ?? [])
    if let file = fileWithoutCache(places, context) { return .leftAlone("org.gradle.caching is false in \(file)") }
    if let file = fileWithRemoteCache(places, context) { return .leftAlone("a remote cache is named in \(file)") }
    return isCommand ? wireCommand(context) : wireHome(home, context)
  }

  // MARK: - As COMMAND

  private static func wireCommand(_ context: BuildContext) -> Wiring {
    // Without a network Gradle asks no remote cache, not even one on this machine.
    let unwanted = ["--no-build-cache", "--offline", "-Dorg.gradle.caching=false"]
    if let argument = context.command.dropFirst().first(where: unwanted.contains) {
      return .leftAlone("\(argument) was given")
    }
    var wiring = Wiring()
    wiring.program = context.host.find("gradle")?.string ?? "the project's gradlew"
    // The same in all builds, like the token: Gradle keeps what it compiled, and its daemon outlives builds.
    let path = context.scratch.appending("gradle").appending("cache.gradle")
    wiring.files = [.init(path, script(.script, context))]
    wiring.arguments = ["-I", path.string]
    wiring.silenceHint = silenceHint
    wiring.isSilenceUsual = true
    return wiring
  }

  private static let silenceHint = """
    gradle asked for no cached results; was nothing to be done, or did it take all from its own cache, \
    or is a remote cache named in the build?
    """

  private static func script(_ wayIn: GradleScript.Switch, _ context: BuildContext) -> String {
    GradleScript(
      address: context.endpoints.address("/gradle"), token: context.endpoints.lastingToken, wayIn: wayIn
    ).text
  }

  // MARK: - Below COMMAND

  /// What Gradle and its wrapper make in their home. What they made in a home that only leads to the user's would not be
  /// found without Fabrik.
  private static let directories = [
    "caches", "daemon", "jdks", "native", "notifications", "wrapper", "workers", ".tmp",
  ]
  private static let buildFiles = [
    "gradlew", "settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts",
  ]

  private static func wireHome(_ home: FilePath, _ context: BuildContext) -> Wiring {
    let isGradleProject =
      context.projectRoot.map { root in buildFiles.contains { context.host.exists(root.appending($0)) } } ?? false
    // A home is only made for who will need it.
    guard isGradleProject || (context.host.exists(home) && context.host.find("gradle") != nil) else {
      return .leftAlone("there is nothing for Gradle to build")
    }
    if context.isSet("GRADLE_USER_HOME") {
      guard context.host.exists(home) else { return .leftAlone("GRADLE_USER_HOME is not there") }
    } else if context.environment.absolutePath("HOME") != home.removingLastComponent() {
      // Somebody keeps this build away from the user's home, and does not know that Java does not.
      return .leftAlone("HOME is not the user's home directory, which Gradle would use")
    }
    guard context.host.canWrite(in: home) else { return .leftAlone("\(home) cannot be written") }
    let options = context.environment["GRADLE_OPTS"]
    if options?.contains("org.gradle.caching") == true { return .leftAlone("GRADLE_OPTS has org.gradle.caching") }
    var wiring = Wiring()
    wiring.program = context.host.find("gradle")?.string ?? "the project's gradlew"
    wiring.overlays = [
      .init(
        variable: "GRADLE_USER_HOME", original: home, directories: directories,
        additions: [.init(FilePath("init.d/fabrik-cache.gradle"), script(.property, context))])
    ]
    wiring.variables = [
      .init("GRADLE_OPTS", [options, "-Dorg.gradle.caching=true"].compactMap { $0 }.joined(separator: " "))
    ]
    wiring.silenceHint = silenceHint
    wiring.isSilenceUsual = true
    return wiring
  }

  // MARK: - What the user has set

  /// nil when it is not known. Java takes the user's home from the list of users, not from the environment.
  private static func home(_ context: BuildContext) -> FilePath? {
    if context.isSet("GRADLE_USER_HOME") { return context.environment.absolutePath("GRADLE_USER_HOME") }
    let listed = context.host.read(AccountList.path).flatMap { AccountList.home(of: getuid(), in: $0) }
    return (listed ?? context.environment.absolutePath("HOME"))?.appending(".gradle")
  }

  private static func fileWithoutCache(_ places: [FilePath], _ context: BuildContext) -> FilePath? {
    for file in places.map({ $0.appending("gradle.properties") }) {
      guard let text = context.host.read(file) else { continue }
      for line in text.split(whereSeparator: \.isNewline).reversed() {
        let parts = line.split(maxSplits: 1) { $0 == "=" || $0 == ":" }.map { $0.filter { !$0.isWhitespace } }
        guard parts.count == 2, parts[0] == "org.gradle.caching" else { continue }
        // The first place that says something decides.
        return parts[1].lowercased() == "false" ? file : nil
      }
    }
    return nil
  }

  /// Only where it is likely to be: the script, which runs when all is read, sees the rest.
  private static func fileWithRemoteCache(_ places: [FilePath], _ context: BuildContext) -> FilePath? {
    let names = ["init.gradle", "init.gradle.kts", "settings.gradle", "settings.gradle.kts"]
    return places.flatMap { place in names.map { place.appending($0) } }.first { file in
      guard let text = context.host.read(file) else { return false }
      return text.contains("HttpBuildCache") || (text.contains("buildCache") && text.contains("remote"))
    }
  }
}
