import CSpawn
import Configuration
import ControlProtocol
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A server to work with, joined or started.
struct ServerAccess: ~Copyable {
  var lease: LeaseConnection
  let endpoint: HTTPEndpoint
  /// False when the server was running already.
  let isNew: Bool
}

/// A server that is a daemon now.
package struct KeptServer: ~Copyable {
  package enum Before: Sendable {
    case absent, ephemeral, daemon
  }

  /// Ends with the server.
  package var connection: ControlConnection
  /// What there was before.
  package let before: Before
}

/// Why there is no server, as the end of a sentence.
package struct ServerFailure: Error, CustomStringConvertible {
  package let description: String
}

/// Joins the server of a configuration, or starts one.
///
/// The launcher binds the sockets and starts the build at once: tools that come before the server is up wait in the
/// backlog. All under the instance's lock, so that launchers that start together share one server, and none joins a
/// server that is about to end.
struct ServerStarter {
  let instance: ServerInstance
  let parameters: ServerInstance.Parameters
  /// The `fabrik-server` program.
  let program: FilePath
  /// What the server needs beside the parameters.
  let surroundings: Surroundings

  /// What is not part of the configuration: a server that was started with others is joined all the same.
  struct Surroundings {
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

  typealias Failure = ServerFailure

  /// A new server is up after a few milliseconds, unless the machine is very busy.
  private static let startPatience = Duration.seconds(20)
  /// A running server answers in well under a millisecond; one that needs this long hangs and is better left alone.
  private static let patience = Duration.seconds(1)
  /// Another launcher holds the lock for a millisecond or two.
  private static let lockPatience = Duration.seconds(2)
  /// A `make -j64` starts compilers faster than a busy server accepts them.
  private static let backlog: CInt = 4096

  /// - Parameter isRenewal: whether tools of a running build have the last server's address.
  func access(terms: LeaseTerms, isRenewal: Bool = false) throws(Failure) -> ServerAccess {
    try withLock { () throws -> ServerAccess in
      if let access = try join(terms: terms) { return access }
      return try launch(isRenewal: isRenewal) {
        ServerAccess(lease: LeaseConnection(descriptor: $0, terms: terms), endpoint: $1, isNew: true)
      }
    }
  }

  /// Makes the configuration's server a daemon; starts it when it is not running.
  func keep() throws(Failure) -> KeptServer {
    var kept = try withLock { () throws -> KeptServer in
      if let kept = try joinForGood() { return kept }
      return try launch { descriptor, _ in
        let connection = ControlConnection(descriptor: descriptor)
        connection.send(.init(ControlMessage.keep))
        return KeptServer(connection: connection, before: .absent)
      }
    }
    guard kept.before == .absent else { return kept }
    guard kept.connection.receive(within: Self.startPatience)?.verb == ControlMessage.ready else {
      let reason = SmallFile.read(instance.log)?.split(separator: "\n").first
      throw Failure(description: reason.map(String.init) ?? "it ended early")
    }
    return kept
  }

  /// Runs `body` with nobody else joining or starting this server, and the server not ending.
  private func withLock<Result: ~Copyable>(_ body: () throws -> Result) throws(Failure) -> Result {
    do {
      try FileSystem.makeDirectories(instance.directory, permissions: 0o700)
      let lock = try FileDescriptor.open(
        instance.lock, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
      defer { try? lock.close() }
      try take(lock)
      return try body()
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(description: "\(instance.directory): \(error)")
    }
  }

  private func take(_ lock: FileDescriptor) throws {
    let deadline = ContinuousClock.now + Self.lockPatience
    while flock(lock.rawValue, LOCK_EX | LOCK_NB) != 0 {
      guard ContinuousClock.now < deadline else {
        throw Failure(description: "another fabrik has been holding \(instance.lock) for too long")
      }
      usleep(1000)
    }
  }

  /// nil when no server is there.
  private func join(terms: LeaseTerms) throws -> ServerAccess? {
    guard let descriptor = try? Sockets.connect(unix: instance.controlSocket) else { return nil }
    var lease = LeaseConnection(descriptor: descriptor, terms: terms)
    let isReady = lease.isReady(within: Self.patience)
    if !isReady, lease.isClosed() {
      // It was dying, or has died over this.
      try? descriptor.close()
      return nil
    }
    guard isReady, let endpoint = SmallFile.read(instance.httpEndpoint).flatMap(HTTPEndpoint.init(text:))
    else {
      try? descriptor.close()
      throw Failure(description: "the running server does not answer")
    }
    return ServerAccess(lease: lease, endpoint: endpoint, isNew: false)
  }

  /// nil when no server is there.
  private func joinForGood() throws -> KeptServer? {
    guard let descriptor = try? Sockets.connect(unix: instance.controlSocket) else { return nil }
    var connection = ControlConnection(descriptor: descriptor)
    connection.send(.init(ControlMessage.status))
    let status = connection.receive(within: Self.patience)
    connection.send(.init(ControlMessage.keep))
    guard let status, connection.receive(within: Self.patience)?.verb == ControlMessage.ready else {
      let isGone = connection.isClosed()
      try? descriptor.close()
      if isGone { return nil }
      throw Failure(description: "the running server does not answer")
    }
    let wasDaemon = ServerStatus(fields: status.fields).isDaemon
    return KeptServer(connection: connection, before: wasDaemon ? .daemon : .ephemeral)
  }

  /// Starts a server.
  ///
  /// - Parameter greet: takes the launcher's connection and sends the first message.
  private func launch<Result: ~Copyable>(
    isRenewal: Bool = false, greet: (FileDescriptor, HTTPEndpoint) -> Result
  ) throws -> Result {
    for socket in instance.sockets + [instance.log] { try? FileSystem.remove(socket) }
    let control = try Sockets.listen(unix: instance.controlSocket, backlog: Self.backlog)
    defer { try? control.close() }
    let crsh = try Sockets.listen(unix: instance.crshSocket, backlog: Self.backlog)
    defer { try? crsh.close() }
    let goCache = try Sockets.listen(unix: instance.goSocket, backlog: Self.backlog)
    defer { try? goCache.close() }
    let compilerCache = try Sockets.listen(unix: instance.compilerSocket, backlog: Self.backlog)
    defer { try? compilerCache.close() }
    let (http, endpoint) = try bindHTTP(isRenewal: isRenewal)
    defer { try? http.close() }
    let connection = try Sockets.connect(unix: instance.controlSocket)
    let result = greet(connection, endpoint)
    do {
      try spawn(descriptors: [control, crsh, http, goCache, compilerCache])
    } catch {
      try? connection.close()
      throw error
    }
    return result
  }

  /// Binds the port of the last server if it is free: some tools remember it. The token is a new one, unless a build has
  /// lost its server this moment: whoever has listened on the port meanwhile may have been shown the old one.
  private func bindHTTP(isRenewal: Bool) throws -> (FileDescriptor, HTTPEndpoint) {
    let last = SmallFile.read(instance.httpEndpoint).flatMap(HTTPEndpoint.init(text:))
    let lastPort = last.flatMap { try? Sockets.listen(loopbackPort: $0.port, backlog: Self.backlog) }
    if isRenewal, let last, let lastPort { return (lastPort.0, last) }
    let (descriptor, port) = try lastPort ?? Sockets.listen(loopbackPort: 0, backlog: Self.backlog)
    let endpoint = HTTPEndpoint(port: port, token: HTTPEndpoint.newToken())
    try SmallFile.replace(instance.httpEndpoint, with: endpoint.text)
    return (descriptor, endpoint)
  }

  /// Nothing of the first build's: its preloaded libraries and library paths would stay with all later builds.
  private static let serverEnvironment = Environment(["PATH": "/usr/local/bin:/usr/bin:/bin"])

  private func spawn(descriptors: [FileDescriptor]) throws {
    let size = parameters.maxSize.map { "\($0)" } ?? "auto"
    let arguments =
      [program.bytes, Array("--instance".utf8), instance.directory.bytes]
      + [Array("--cache".utf8), parameters.cacheDirectory.bytes, Array("--max-size".utf8), Array(size.utf8)]
    let configuration = try configurationPipe()
    defer { try? configuration.close() }
    let numbers = (descriptors + [configuration]).map(\.rawValue)
    let error = program.withPlatformString { program in
      CStringArray(arguments).withPointer { arguments in
        Self.serverEnvironment.withBlock { fabrik_spawn_detached(program, arguments, $0, numbers, numbers.count) }
      }
    }
    guard error == 0 else { throw Failure(description: "\(program): \(Errno(rawValue: error))") }
  }

  /// A pipe with the configuration in it: what is secret must not be seen in a list of processes.
  private func configurationPipe() throws -> FileDescriptor {
    let configuration = ServerConfiguration(
      peers: parameters.peers, upstreams: parameters.upstreams, sealingSecret: parameters.sealingSecret,
      surroundings: surroundings.upstreams ?? .init(),
      dataDirectory: surroundings.dataDirectory, stateDirectory: surroundings.stateDirectory,
      sessionBus: surroundings.sessionBus)
    let line = configuration.message.encoded
    let (reader, writer) = try Sockets.pipe()
    do {
      // Nobody reads yet, so all of it has to fit.
      let count = try writer.closeAfter { try line.withUnsafeBytes { try writer.write($0) } }
      guard count == line.count else { throw Errno.messageTooLong }
    } catch {
      try? reader.close()
      throw Failure(description: "the configuration is too long for a pipe")
    }
    return reader
  }

  /// This program's file; if /proc is not there, its name.
  static var thisProgram: FilePath { (try? FileSystem.realPath("/proc/self/exe")) ?? "fabrik" }

  /// Finds `fabrik-server` beside this program, or in libexec as `make install` puts it.
  static func locateProgram() throws(Failure) -> FilePath {
    guard let here = try? FileSystem.realPath("/proc/self/exe").removingLastComponent() else {
      throw Failure(description: "/proc/self/exe cannot be read")
    }
    let candidates = [here.appending("fabrik-server"), here.appending("../libexec/fabrik/fabrik-server")]
    guard let found = candidates.first(where: FileSystem.isExecutableFile) else {
      throw Failure(description: "fabrik-server is not installed beside \(here)/fabrik")
    }
    return found.lexicallyNormalized()
  }
}
