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
  private let surroundings: ServerSurroundings

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
    /// It does not answer, or does not end.
    case silent(process: Int32?)
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
    try starter().keep()
  }

  /// How a server is.
  package enum Presence: Sendable {
    case absent
    /// It is there, but does not answer.
    case silent(process: Int32?)
    case running(ServerStatus)

    package var status: ServerStatus? { if case .running(let status) = self { status } else { nil } }
  }

  /// How the configuration's server is.
  package func presence() -> Presence { Self.presence(of: instance) }

  private static func presence(of server: ServerInstance) -> Presence {
    // One that is starting may take longer on a busy machine.
    let patience = FileSystem.exists(server.starting) ? ServerStarter.startPatience : patience
    return ask(server, .init(ControlMessage.status)) { connection -> Presence in
      if let answer = connection.receive(within: patience), answer.verb == ControlMessage.status {
        return .running(ServerStatus(fields: answer.fields))
      }
      // It may just have ended.
      return connection.isClosed() ? .absent : .silent(process: process(of: server))
    } ?? .absent
  }

  /// How the configuration's server is; nil when there is none, or it does not answer.
  package func status() -> ServerStatus? { presence().status }

  /// A server's process, as the list of processes has it. A socket tells only who has bound it.
  private static func process(of server: ServerInstance) -> Int32? {
    let words = Array("--instance\0\(server.directory)\0".utf8)
    for name in (try? FileSystem.entries(of: "/proc")) ?? [] {
      guard let process = Int32(name),
        let line = SmallFile.readBytes(FilePath("/proc/\(name)/cmdline"), limit: longestCommandLine)
      else { continue }
      if line.firstRange(of: words) != nil { return process }
    }
    return nil
  }

  /// Bytes: that of a server is shorter.
  private static let longestCommandLine = 65536

  /// The daemons with another configuration, or of another version.
  package func otherDaemons() -> [(ServerInstance, ServerStatus)] {
    let names = (try? FileSystem.entries(of: runtime.path)) ?? []
    return names.sorted().compactMap { name in
      let other = ServerInstance(directory: runtime.path.appending(name))
      guard other.directory != instance.directory, let status = Self.presence(of: other).status, status.isDaemon else {
        return nil
      }
      return (other, status)
    }
  }

  /// What the configuration's server knows of peers; none when there is no server.
  package func peers() -> [PeerReport] {
    Self.ask(instance, .init(ControlMessage.peers)) { connection in
      var peers: [PeerReport] = []
      while let peer = connection.receive(within: Self.patience).flatMap(PeerReport.init(message:)) {
        peers.append(peer)
      }
      return peers
    } ?? []
  }

  /// Has all servers of this user write down what the builds that are running have asked for.
  package func recordBuilds() {
    for name in (try? FileSystem.entries(of: runtime.path)) ?? [] {
      let server = ServerInstance(directory: runtime.path.appending(name))
      _ = Self.ask(server, .init(ControlMessage.record)) { $0.receive(within: Self.patience) }
    }
  }

  /// Has the configuration's server try out each upstream; starts it when it is not running.
  package func checkUpstreams() throws(ServerFailure) -> [UpstreamReport] {
    // The lease keeps the server for as long as it is asked.
    let lease = try starter().lease(
      terms: LeaseTerms(linger: .zero, usesPeers: true, usesUpstreams: true, surroundings: surroundings.upstreams))
    defer { try? lease.descriptor.close() }
    let check = ControlMessage(ControlMessage.check, surroundings.upstreams?.fields ?? [:])
    let reports = Self.ask(instance, check) { connection -> [UpstreamReport]? in
      var reports: [UpstreamReport] = []
      while let message = connection.receive(within: Self.checkPatience) {
        guard let report = UpstreamReport(message: message) else { return reports }
        reports.append(report)
      }
      return nil
    }
    guard let reports = reports ?? nil else { throw ServerFailure(description: "the server does not answer") }
    return reports
  }

  private func starter() throws(ServerFailure) -> ServerStarter {
    try ServerStarter(instance: instance, parameters: parameters, surroundings: surroundings)
  }

  /// Sends a server one message on a connection of its own.
  ///
  /// - Parameter read: takes what is answered.
  /// - Returns: nil when there is no server.
  private static func ask<Answer>(
    _ server: ServerInstance, _ message: ControlMessage, _ read: (inout ControlConnection) -> Answer
  ) -> Answer? {
    guard let descriptor = try? Sockets.connect(unix: server.path(of: .control)) else { return nil }
    defer { try? descriptor.close() }
    var connection = ControlConnection(descriptor: descriptor)
    connection.send(message)
    return read(&connection)
  }

  /// Tells a server to end, and waits until it has, unless builds are using it.
  package func stop(_ instance: ServerInstance) -> Stop {
    Self.ask(instance, .init(ControlMessage.stop)) { connection -> Stop in
      if let answer = connection.receive(within: Self.patience) {
        if answer.verb == ControlMessage.stopping, let leases = answer["leases"].flatMap({ Int($0) }) {
          if leases > 0 { return .waiting(leases: leases) }
          if connection.waitForEnd(within: Self.endPatience) { return .ended }
        }
      } else if connection.isClosed() {
        return .ended
      }
      return .silent(process: Self.process(of: instance))
    } ?? .absent
  }
}
