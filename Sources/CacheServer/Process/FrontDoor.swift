import ChannelSupport
import ControlProtocol
import FrontEnds
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import SystemPackage
import SystemSupport

/// The sockets that launchers and tools connect to. At first those that the launcher bound; a daemon whose runtime
/// directory was removed binds new ones.
final class FrontDoor: Sendable {
  private let instance: ServerInstance
  private let endpoint: HTTPEndpoint
  private let group: any EventLoopGroup
  private let controlLoop: any EventLoop
  private let claim: SocketClaim
  /// Connections of launchers that hold a lease or may take one.
  private let launchers = ActivityCount()
  /// The descriptor on which launchers arrive.
  private let controlDescriptor = Atomic<CInt>(ServerSocket.control.descriptor)
  /// The Unix sockets in use.
  private let channels = Mutex<[any Channel]>([])

  /// A `stat` or two each time.
  private static let watchInterval = Duration.seconds(2)

  init(
    instance: ServerInstance, endpoint: HTTPEndpoint, claim: SocketClaim, group: any EventLoopGroup,
    controlLoop: any EventLoop
  ) {
    self.instance = instance
    self.endpoint = endpoint
    self.claim = claim
    self.group = group
    self.controlLoop = controlLoop
  }

  /// Whether no launcher is connected or waiting to be accepted.
  func isQuiet() async -> Bool {
    let quiet = controlLoop.submit {
      self.launchers.current == 0 && !Self.isConnectionWaiting(on: self.controlDescriptor.load(ordering: .relaxed))
    }
    return (try? await quiet.get()) ?? false
  }

  /// Lets in who connects to a socket.
  ///
  /// - Parameter descriptor: the socket; nil: the one that was inherited.
  func open(_ socket: ServerSocket, as descriptor: CInt? = nil, for server: ServerContext) async throws {
    let descriptor = descriptor ?? socket.descriptor
    if socket == .control { controlDescriptor.store(descriptor, ordering: .relaxed) }
    let launchers = launchers
    let channel = try await listen(descriptor, on: socket == .control ? controlLoop : group) { channel in
      let pipeline = channel.pipeline.syncOperations
      func add(_ handler: (ReadGate) -> any ChannelHandler) throws {
        let gate = ReadGate()
        try pipeline.addHandlers([gate, handler(gate)])
      }
      switch socket {
      case .control:
        try pipeline.addHandler(ControlHandler(server: server) { launchers.end() })
        launchers.begin()
      case .storageHelper: try add { CRSHHandler(server: server, gate: $0) }
      case .goCache: try add { GoCacheHandler(server: server, gate: $0) }
      case .compilerCache: try add { CompilerCacheHandler(server: server, gate: $0) }
      }
    }
    channels.withLock { $0.append(channel) }
  }

  /// Lets tools in that speak HTTP.
  func openHTTP(for server: ServerContext) async throws {
    let guardian = LoopbackGuard(endpoint: endpoint)
    _ = try await listen(InheritedDescriptor.http, on: group) { channel in
      let gate = ReadGate()
      try channel.pipeline.syncOperations.addHandlers([
        gate, ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
        HTTPHandler(server: server, guardian: guardian, gate: gate),
      ])
    }
  }

  /// Looks from time to time whether a daemon can still be found, and sees to it that it can. Returns when the task is
  /// cancelled.
  func watch(for server: ServerContext) async {
    while (try? await Task.sleep(for: Self.watchInterval)) != nil {
      if server.lifecycle.isDaemon, !claim.isIntact { try? await bindAnew(for: server) }
    }
  }

  /// Throws when it cannot be done yet: the directory cannot be made, or another server is there.
  private func bindAnew(for server: ServerContext) async throws {
    try RuntimeDirectory.prepare(instance.directory.removingLastComponent())
    try FileSystem.makeDirectories(instance.directory, permissions: 0o700)
    let lock = try FileDescriptor.open(
      instance.lock, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    defer { try? lock.close() }
    try FileSystem.check { flock(lock.rawValue, LOCK_EX | LOCK_NB) }
    if let other = try? Sockets.connect(unix: instance.path(of: .control)) {
      try? other.close()
      throw Errno.addressInUse
    }
    try SmallFile.replace(instance.httpEndpoint, with: endpoint.text)
    let sockets = try bindSockets()
    let old = channels.withLock { channels in
      defer { channels = [] }
      return channels
    }
    // Nobody can find them any more.
    defer { for channel in old { channel.close(promise: nil) } }
    for (socket, descriptor) in sockets { try await open(socket, as: descriptor.rawValue, for: server) }
    claim.renew()
  }

  /// All or none.
  private func bindSockets() throws -> [(ServerSocket, SocketDescriptor)] {
    var bound: [(ServerSocket, SocketDescriptor)] = []
    do {
      for socket in ServerSocket.allCases {
        let path = instance.path(of: socket)
        try? FileSystem.remove(path)
        bound.append((socket, try Sockets.listen(unix: path, backlog: ServerSocket.backlog)))
      }
    } catch {
      for (_, descriptor) in bound { try? descriptor.close() }
      throw error
    }
    return bound
  }

  private typealias SocketDescriptor = SystemPackage.FileDescriptor

  private func listen(
    _ descriptor: CInt, on group: any EventLoopGroup, connect: @escaping @Sendable (any Channel) throws -> Void
  ) async throws -> any Channel {
    try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: ServerSocket.backlog)
      .childChannelOption(
        .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 1 << 18)
      )
      .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try connect(channel) } }
      .withBoundSocket(descriptor).get()
  }

  private static func isConnectionWaiting(on descriptor: CInt) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, 0) > 0
  }
}
