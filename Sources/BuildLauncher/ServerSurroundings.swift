import Configuration
import ControlProtocol
import SystemPackage
import SystemSupport

/// What a server needs and is not part of its configuration: one that was started with other surroundings is joined all the
/// same.
struct ServerSurroundings {
  let dataDirectory: FilePath
  let stateDirectory: FilePath
  let sessionBus: String?
  /// nil: there are no upstreams.
  let upstreams: UpstreamSurroundings?

  init(environment: Environment, paths: StandardPaths, parameters: ServerInstance.Parameters) {
    upstreams = parameters.upstreams.isEmpty ? nil : UpstreamSurroundings(environment: environment)
    dataDirectory = paths.data
    stateDirectory = paths.state
    sessionBus =
      environment.nonEmpty("DBUS_SESSION_BUS_ADDRESS")
      ?? environment.absolutePath("XDG_RUNTIME_DIR").map { $0.appending("bus") }
      .flatMap { FileSystem.exists($0) ? "unix:path=\($0)" : nil }
  }
}
