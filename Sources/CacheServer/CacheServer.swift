import CacheStore
import ChannelSupport
package import ControlProtocol
import Cryptography
import FrontEnds
import LayeredCache
import NIOCore
import NIOHTTP1
import NIOPosix
import PeerNetwork
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The background process: owns the listeners that its launcher bound, the store, and the leases.
package struct CacheServer: Sendable {
  private let options: ServerOptions

  package init(options: ServerOptions) {
    self.options = options
  }

  /// Lookups are short and do not wait for each other, so few threads serve many tools: one for two processors, since
  /// more only compete with the compilers (on two processors, one thread answers faster than two), and at most four.
  private static let mostThreads = 4
  /// Compilers start by the hundred; nobody may be refused while the server is busy.
  static let backlog: CInt = 4096

  /// Serves until the server's time has come. Throws when it cannot begin.
  package func run() async throws {
    Self.raiseDescriptorLimit()
    let store = try openStore()
    guard OpenSSLDigest.isAvailable else { throw StartFailure(description: "OpenSSL has no SHA-256") }
    guard let endpoint = SmallFile.read(options.instance.httpEndpoint).flatMap(HTTPEndpoint.init(text:)) else {
      throw StartFailure(description: "\(options.instance.httpEndpoint) cannot be read")
    }
    let threads = min(Self.mostThreads, max(1, System.coreCount / 2))
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    let workers = NIOThreadPool(numberOfThreads: 1)
    workers.start()
    let controlLoop = group.next()
    let launchers = ActivityCount()
    let transfers = ActivityCount()
    let lifecycle = ServerLifecycle(instance: options.instance, transfers: transfers) {
      let quiet = controlLoop.submit {
        launchers.current == 0 && !Self.isConnectionWaiting(on: ServerOptions.controlDescriptor)
      }
      return (try? await quiet.get()) ?? false
    }
    let peers = PeerSide(options: options, store: store, transfers: transfers, group: group)
    let server = ServerContext(
      cache: LayeredCache(local: store), leases: LeaseRegistry(processes: LinuxProcessTable()), lifecycle: lifecycle,
      transfers: transfers, workers: workers)

    // The launcher takes the absence of `ready` as a sign that no tool has been answered, so its socket comes first.
    _ = try await listen(ServerOptions.controlDescriptor, on: controlLoop) { channel in
      launchers.begin()
      try channel.pipeline.syncOperations.addHandler(ControlHandler(server: server) { launchers.end() })
    }
    await peers?.start(for: server.cache)
    await server.firstLease()
    _ = try await listen(ServerOptions.crshDescriptor, on: group) { channel in
      let gate = ReadGate()
      try channel.pipeline.syncOperations.addHandlers([gate, CRSHHandler(server: server, gate: gate)])
    }
    let guardian = LoopbackGuard(endpoint: endpoint)
    _ = try await listen(ServerOptions.httpDescriptor, on: group) { channel in
      let gate = ReadGate()
      try channel.pipeline.syncOperations.addHandlers([
        gate, ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
        HTTPHandler(server: server, guardian: guardian, gate: gate),
      ])
    }
    server.removeAbandonedTemporaries()
    if server.cache.isUncounted { server.startCollecting() }
    server.collectIfNeeded()
    await lifecycle.run()
    await peers?.stop()
  }

  /// The limit is the first build's; a server has a descriptor for each tool that is running.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(resource, &limit)
  }

  private func openStore() throws -> CacheStore {
    let directory = options.parameters.cacheDirectory
    do {
      let scope = options.peerSettings.flatMap(PeerNetwork.scope) ?? .private
      return try CacheStore(directory: directory, maxSize: options.parameters.maxSize, scope: scope)
    } catch {
      throw StartFailure(description: "the cache in \(directory) cannot be opened: \(error)")
    }
  }

  private func listen(
    _ descriptor: CInt, on group: any EventLoopGroup, connect: @escaping @Sendable (any Channel) throws -> Void
  ) async throws -> any Channel {
    try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: Self.backlog)
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

/// Why a server could not begin.
struct StartFailure: Error, CustomStringConvertible {
  let description: String
}

extension CacheServer {
  /// Leaves the reason where the launcher looks for it when its server does not answer.
  package static func reportStartFailure(_ error: any Error, to instance: ServerInstance) {
    try? SmallFile.replace(instance.log, with: "\(error)\n")
  }
}
