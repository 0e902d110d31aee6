package import Configuration
package import ControlProtocol
import SystemPackage
package import SystemSupport

/// The servers of this user, for the commands that look after them.
package struct ServerControl {
  /// The place of the configuration's server.
  package let instance: ServerInstance
  private let runtime: RuntimeDirectory
  private let parameters: ServerInstance.Parameters
  private let surroundings: ServerStarter.Surroundings

  /// A running server answers in well under a millisecond.
  private static let patience = Duration.seconds(1)
  /// A server that was told to end waits for transfers for five seconds, and for uploads for a minute.
  private static let endPatience = Duration.seconds(75)

  /// Each of a few requests to an upstream may be waited for.
  private static let checkPatience = Duration.seconds(300)

  /// How the telling of a server to end went.
  package enum Stop: Sendable, Equatable {
    case absent
    case ended
    /// It ends after so many builds.
    case waiting(leases: Int)
    case silent
  }

  package init(configuration: FabrikConfiguration, environment: Environment) throws(ServerFailure) {
    let paths = StandardPaths(environment: environment)
    parameters = configuration.serverParameters
    surroundings = .init(environment: environment, paths: paths, parameters: parameters)
    do {
      runtime = try RuntimeDirectory(environment: environment)
      instance = try ServerInstance(runtime: runtime, parameters: parameters, paths: paths)
    } catch {
      throw ServerFailure(description: "\(error)")
    }
  }

  /// Makes the configuration's server a daemon; starts it when it is not running.
  package func keep() throws(ServerFailure) -> KeptServer {
    let starter = ServerStarter(
      instance: instance, parameters: parameters, program: try ServerStarter.locateProgram(),
      surroundings: surroundings)
    return try starter.keep()
  }

  /// How the configuration's server is; nil when there is none, or it does not answer.
  package func status() -> ServerStatus? { Self.status(of: instance) }

  /// The daemons with another configuration, or of another version.
  package func otherDaemons() -> [(ServerInstance, ServerStatus)] {
    let names = (try? FileSystem.entries(of: runtime.path)) ?? []
    return names.sorted().compactMap { name in
      let other = ServerInstance(directory: runtime.path.appending(name))
      guard other.directory != instance.directory, let status = Self.status(of: other), status.isDaemon else {
        return nil
      }
      return (other, status)
    }
  }

  private static func status(of instance: ServerInstance) -> ServerStatus? {
    guard let descriptor = try? Sockets.connect(unix: instance.controlSocket) else { return nil }
    defer { try? descriptor.close() }
    var connection = ControlConnection(descriptor: descriptor)
    connection.send(.init(ControlMessage.status))
    guard let answer = connection.receive(within: patience), answer.verb == ControlMessage.status else { return nil }
    return ServerStatus(fields: answer.fields)
  }

  /// What the configuration's server knows of peers; none when there is no server.
  package func peers() -> [PeerReport] {
    guard let descriptor = try? Sockets.connect(unix: instance.controlSocket) else { return [] }
    defer { try? descriptor.close() }
    var connection = ControlConnection(descriptor: descriptor)
    connection.send(.init(ControlMessage.peers))
    var peers: [PeerReport] = []
    while let peer = connection.receive(within: Self.patience).flatMap(PeerReport.init(message:)) { peers.append(peer) }
    return peers
  }

  /// Has all servers of this user write down what the builds that are running have asked for.
  package func recordBuilds() {
    for name in (try? FileSystem.entries(of: runtime.path)) ?? [] {
      let server = ServerInstance(directory: runtime.path.appending(name))
      guard let descriptor = try? Sockets.connect(unix: server.controlSocket) else { continue }
      var connection = ControlConnection(descriptor: descriptor)
      connection.send(.init(ControlMessage.record))
      _ = connection.receive(within: Self.patience)
      try? descriptor.close()
    }
  }

  /// Has the configuration's server try out each upstream; starts it when it is not running.
  package func checkUpstreams() throws(ServerFailure) -> [UpstreamReport] {
    let starter = ServerStarter(
      instance: instance, parameters: parameters, program: try ServerStarter.locateProgram(),
      surroundings: surroundings)
    // The lease keeps the server for as long as it is asked.
    let access = try starter.access(
      terms: LeaseTerms(linger: .zero, usesPeers: true, usesUpstreams: true, surroundings: surroundings.upstreams))
    defer { try? access.lease.descriptor.close() }
    do {
      let descriptor = try Sockets.connect(unix: instance.controlSocket)
      defer { try? descriptor.close() }
      var connection = ControlConnection(descriptor: descriptor)
      connection.send(.init(ControlMessage.check, surroundings.upstreams?.fields ?? [:]))
      var reports: [UpstreamReport] = []
      while let message = connection.receive(within: Self.checkPatience) {
        guard let report = UpstreamReport(message: message) else { return reports }
        reports.append(report)
      }
    } catch {
      throw ServerFailure(description: "\(error)")
    }
    throw ServerFailure(description: "the server does not answer")
  }

  /// Tells a server to end, and waits until it has, unless builds are using it.
  package func stop(_ instance: ServerInstance) -> Stop {
    guard let descriptor = try? Sockets.connect(unix: instance.controlSocket) else { return .absent }
    defer { try? descriptor.close() }
    var connection = ControlConnection(descriptor: descriptor)
    connection.send(.init(ControlMessage.stop))
    guard let answer = connection.receive(within: Self.patience) else {
      return connection.isClosed() ? .ended : .silent
    }
    guard answer.verb == ControlMessage.stopping, let leases = answer["leases"].flatMap({ Int($0) }) else {
      return .silent
    }
    if leases > 0 { return .waiting(leases: leases) }
    return connection.waitForEnd(within: Self.endPatience) ? .ended : .silent
  }
}
