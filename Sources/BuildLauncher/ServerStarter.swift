import CSpawn
import Configuration
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

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
  let surroundings: ServerSurroundings

  /// Throws when the program is not installed.
  init(
    instance: ServerInstance, parameters: ServerInstance.Parameters, surroundings: ServerSurroundings
  ) throws(ServerFailure) {
    guard let program = InstalledPart.server.file else {
      throw ServerFailure(description: "fabrik-server is not installed beside \(Installation.program)")
    }
    self.instance = instance
    self.parameters = parameters
    self.program = program
    self.surroundings = surroundings
  }

  /// A new server is up after a few milliseconds, unless the machine is very busy.
  static let startPatience = Duration.seconds(20)
  /// A running server answers in well under a millisecond; one that needs this long hangs and is better left alone.
  private static let answerPatience = Duration.seconds(1)
  /// Another launcher holds the lock for a millisecond or two.
  private static let lockPatience = Duration.seconds(2)

  /// How long who joins the server waits for it.
  private var patience: Duration { FileSystem.exists(instance.starting) ? Self.startPatience : Self.answerPatience }

  /// A lease of the configuration's server, which is started when it is not running. Does not wait for a new one.
  ///
  /// - Parameter isRenewal: whether tools of a running build have the last server's address.
  func lease(terms: LeaseTerms, isRenewal: Bool = false) throws(ServerFailure) -> LeaseConnection {
    try withLock(isRenewal: isRenewal) { () throws -> LeaseConnection in
      // A build that is running waits for no more than a moment.
      if let lease = try join(terms: terms, within: isRenewal ? Self.answerPatience : patience) { return lease }
      let (descriptor, endpoint) = try launch(isRenewal: isRenewal)
      return LeaseConnection(descriptor: descriptor, endpoint: endpoint, terms: terms)
    }
  }

  /// Makes the configuration's server a daemon; starts it when it is not running.
  func keep() throws(ServerFailure) -> KeptServer {
    var kept = try withLock { () throws -> KeptServer in
      if let kept = try joinForGood() { return kept }
      let connection = ControlConnection(descriptor: try launch().descriptor)
      connection.send(.init(ControlMessage.keep))
      return KeptServer(connection: connection, before: .absent)
    }
    guard kept.before == .absent else { return kept }
    guard kept.connection.receive(within: Self.startPatience)?.verb == ControlMessage.ready else {
      let reason = SmallFile.read(instance.log)?.split(separator: "\n").first
      throw ServerFailure(description: reason.map(String.init) ?? "it ended early")
    }
    return kept
  }

  /// Runs `body` with nobody else joining or starting this server, and the server not ending.
  private func withLock<Result: ~Copyable>(
    isRenewal: Bool = false, _ body: () throws -> Result
  ) throws(ServerFailure) -> Result {
    do {
      try FileSystem.makeDirectories(instance.directory, permissions: 0o700)
      guard let lock = try isRenewal ? FileLock(instance.lock, within: Self.lockPatience) : takeLock() else {
        throw ServerFailure(description: "another fabrik has been holding \(instance.lock) for too long")
      }
      defer { lock.release() }
      return try body()
    } catch let failure as ServerFailure {
      throw failure
    } catch {
      throw ServerFailure(description: "\(instance.directory): \(error)")
    }
  }

  /// nil when somebody else has held it for too long.
  private func takeLock() throws -> FileLock? {
    let start = ContinuousClock.now
    // Who joins a server that is starting holds the lock until it answers. The server may have begun to, or have ended it,
    // while the lock was waited for.
    var isStarting = false
    repeat {
      let wasStarting = FileSystem.exists(instance.starting)
      if let lock = try FileLock(instance.lock, within: Self.lockPatience) { return lock }
      isStarting = wasStarting || FileSystem.exists(instance.starting)
    } while isStarting && ContinuousClock.now < start + Self.startPatience
    return nil
  }

  /// nil when no server is there.
  private func join(terms: LeaseTerms, within patience: Duration) throws -> LeaseConnection? {
    guard let descriptor = try? Sockets.connect(unix: instance.path(of: .control)) else { return nil }
    guard let endpoint = SmallFile.read(instance.httpEndpoint).flatMap(HTTPEndpoint.init(text:)) else {
      try? descriptor.close()
      throw ServerFailure(description: "\(instance.httpEndpoint) cannot be read")
    }
    var lease = LeaseConnection(descriptor: descriptor, endpoint: endpoint, terms: terms)
    if lease.isReady(within: patience) { return lease }
    // It was dying, or has died over this.
    let isGone = lease.isClosed()
    try? descriptor.close()
    if isGone { return nil }
    throw ServerFailure(description: "the running server does not answer")
  }

  /// nil when no server is there.
  private func joinForGood() throws -> KeptServer? {
    guard let descriptor = try? Sockets.connect(unix: instance.path(of: .control)) else { return nil }
    var connection = ControlConnection(descriptor: descriptor)
    connection.send(.init(ControlMessage.status))
    let status = connection.receive(within: patience)
    connection.send(.init(ControlMessage.keep))
    guard let status, connection.receive(within: Self.answerPatience)?.verb == ControlMessage.ready else {
      let isGone = connection.isClosed()
      try? descriptor.close()
      if isGone { return nil }
      throw ServerFailure(description: "the running server does not answer")
    }
    let wasDaemon = ServerStatus(fields: status.fields).isDaemon
    return KeptServer(connection: connection, before: wasDaemon ? .daemon : .ephemeral)
  }

  /// Starts a server. The connection is there before it, so it waits for the first message.
  private func launch(isRenewal: Bool = false) throws -> (descriptor: FileDescriptor, endpoint: HTTPEndpoint) {
    try? FileSystem.remove(instance.log)
    try FileDescriptor.open(
      instance.starting, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite
    ).close()
    var listening: [FileDescriptor] = []
    defer { for descriptor in listening { try? descriptor.close() } }
    for socket in ServerSocket.allCases {
      try? FileSystem.remove(instance.path(of: socket))
      listening.append(try Sockets.listen(unix: instance.path(of: socket), backlog: ServerSocket.backlog))
    }
    let (http, endpoint) = try bindHTTP(isRenewal: isRenewal)
    listening.append(http)
    let connection = try Sockets.connect(unix: instance.path(of: .control))
    do {
      try spawn(descriptors: listening)
    } catch {
      try? connection.close()
      throw error
    }
    return (connection, endpoint)
  }

  /// Binds the port of the last server if it is free: some tools remember it. The token is a new one, unless a build has
  /// lost its server this moment: whoever has listened on the port meanwhile may have been shown the old one.
  private func bindHTTP(isRenewal: Bool) throws -> (FileDescriptor, HTTPEndpoint) {
    let last = SmallFile.read(instance.httpEndpoint).flatMap(HTTPEndpoint.init(text:))
    let lastPort = last.flatMap { try? Sockets.listen(loopbackPort: $0.port, backlog: ServerSocket.backlog) }
    if isRenewal, let last, let lastPort { return (lastPort.0, last) }
    let (descriptor, port) = try lastPort ?? Sockets.listen(loopbackPort: 0, backlog: ServerSocket.backlog)
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
    assert(InheritedDescriptor.first + CInt(numbers.count) == InheritedDescriptor.configuration + 1)
    let error = program.withPlatformString { program in
      CStringArray(arguments).withPointer { arguments in
        Self.serverEnvironment.withBlock { fabrik_spawn_detached(program, arguments, $0, numbers, numbers.count) }
      }
    }
    guard error == 0 else { throw ServerFailure(description: "\(program): \(Errno(rawValue: error))") }
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
      throw ServerFailure(description: "the configuration is too long for a pipe")
    }
    return reader
  }
}
