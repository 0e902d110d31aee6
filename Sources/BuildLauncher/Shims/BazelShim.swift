import BuildTools
import Configuration
import SystemPackage
import SystemSupport

/// What Bazel is told when a script or a Makefile starts it: the rc file of the build.
enum BazelShim {
  static func run(arguments: [[UInt8]], environment: Environment) -> Never {
    var call = ShimCall(arguments: arguments, environment: environment)
    adapt(&call)
    call.run()
  }

  private static func adapt(_ call: inout ShimCall) {
    let variable = call.environment.absolutePath(Bazel.fileVariable)
    // It changes with each build, which is nothing for actions to see.
    call.remove(variable: Bazel.fileVariable)
    // The file goes with its build.
    guard let file = variable, FileSystem.exists(file), let program = call.program,
      let directory = try? FileSystem.currentDirectory()
    else { return }
    let environment = call.environment
    let settings = BazelSettings(
      arguments: call.arguments.dropFirst().map { String(decoding: $0, as: UTF8.self) }, workingDirectory: directory,
      environment: environment, read: SmallFile.read)
    let version = Bazel.version(settings, wanted: environment["USE_BAZEL_VERSION"]) {
      let memory = ProbeMemory(StandardPaths(environment: environment))
      return InstalledTools(environment: environment, memory: memory, scratch: file.removingLastComponent())
        .version(of: program, option: "--version")
    }
    guard settings.objection(version: version) == nil else { return }
    call.insert("--bazelrc=\(Bazel.file(file, for: settings, version))")
  }
}
