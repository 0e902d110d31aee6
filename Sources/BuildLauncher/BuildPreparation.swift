import BuildTools
package import Configuration
import ControlProtocol
package import SystemPackage
package import SystemSupport

/// What a build is prepared with: where it runs, and what the user has set.
package struct BuildPreparation: Sendable {
  /// COMMAND with its arguments; empty for a shell's environment.
  let command: [String]
  let configuration: FabrikConfiguration
  /// The user's, without what an earlier session left.
  let environment: Environment
  let workingDirectory: FilePath

  private let paths: StandardPaths

  init(command: [String], configuration: FabrikConfiguration, environment: Environment, workingDirectory: FilePath) {
    self.command = command
    self.configuration = configuration
    self.environment = environment
    self.workingDirectory = workingDirectory
    paths = StandardPaths(environment: environment)
  }

  /// For a command that shows or hands out what `exec` would set.
  package init(configuration: FabrikConfiguration, environment: Environment, workingDirectory: FilePath) {
    var environment = environment
    Session.clean(&environment)
    self.init(
      command: [], configuration: configuration, environment: environment, workingDirectory: workingDirectory)
  }

  func instance() throws -> ServerInstance {
    try ServerInstance(
      runtime: RuntimeDirectory(environment: environment), parameters: configuration.serverParameters, paths: paths)
  }

  /// Wires all build tools.
  ///
  /// - Parameters:
  ///   - credential: what tools show to the front end.
  ///   - lease: names the directory of files that some tools need.
  func wire(
    endpoint: HTTPEndpoint, credential: String, lease: String, instance: ServerInstance, use: WiringUse = .build
  ) -> BuildEnvironment {
    let memory = ProbeMemory(paths)
    let context = BuildContext(
      command: command, environment: environment,
      endpoints: CacheEndpoints(
        crshSocket: instance.path(of: .storageHelper), httpPort: endpoint.port, httpToken: credential,
        goCacheProgram: goCacheProgram(lease: lease, instance: instance),
        compilerCache: compilerCache(lease: lease, instance: instance)),
      projectRoot: ProjectRoot.find(from: workingDirectory, home: paths.home), scratch: instance.directory,
      buildDirectory: instance.buildDirectory(lease: lease), fabrik: Installation.program,
      host: InstalledTools(environment: environment, memory: memory, scratch: instance.directory),
      execLibrary: execLibrary, workingDirectory: workingDirectory, use: use,
      mapsPaths: configuration.mapsPaths.value)
    return BuildEnvironment(
      context: context, configuration: configuration, links: LinkDirectory(root: paths.data.appending("links")))
  }

  /// By this program's own path: Go ends a build when it cannot start the command.
  private func goCacheProgram(lease: String, instance: ServerInstance) -> [String] {
    let program = Installation.program
    guard program.isAbsolute, FileSystem.isExecutableFile(program) else { return [] }
    return [program.string, "cacheprog", instance.path(of: .goCache).string, lease]
  }

  private func compilerCache(lease: String, instance: ServerInstance) -> CompilerCacheEndpoint? {
    let directories = CompilerDirectories(cacheDirectory: configuration.cacheDirectory.value)
    guard let directory = directories.current,
      SwiftToolchain.library.file != nil
    else { return nil }
    return CompilerCacheEndpoint(socket: instance.path(of: .compilerCache), lease: lease, directory: directory)
  }

  /// Not for a shell that runs already: without the library in itself, it would hand it to all that it starts.
  private var execLibrary: FilePath? {
    guard configuration.absoluteCompilers.value, let program = command.first else { return nil }
    return ExecLibrary.locate(for: Array(program.utf8), environment: environment)
  }

  /// What would be set, with placeholders for what is secret or not known before a build. Throws an `Errno` when there is
  /// no place for a server.
  package func survey() throws -> BuildEnvironment {
    let instance = try instance()
    let port = SmallFile.read(instance.httpEndpoint).flatMap(HTTPEndpoint.init(text:))?.port ?? 0
    return wire(
      endpoint: HTTPEndpoint(port: port, token: "TOKEN"), credential: "TOKEN.\(Self.placeholder)",
      lease: Self.placeholder, instance: instance, use: .survey)
  }

  private static let placeholder = "LEASE"

  /// The environment for a shell whose commands are to find a server that stays.
  package func shellEnvironment() throws -> BuildEnvironment {
    let instance = try instance()
    guard let endpoint = SmallFile.read(instance.httpEndpoint).flatMap(HTTPEndpoint.init(text:)) else {
      throw ServerFailure(description: "there is no server yet; start one that stays: fabrik daemon start")
    }
    return wire(endpoint: endpoint, credential: endpoint.token, lease: "shell", instance: instance, use: .shell)
  }
}
