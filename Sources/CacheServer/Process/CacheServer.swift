import BuildRecords
import CacheStore
import ChannelSupport
package import ControlProtocol
import Cryptography
import Glibc
import LayeredCache
import NIOCore
import NIOPosix
import PeerNetwork
import SystemPackage
import SystemSupport
import Upstreams

/// The background process: owns the listeners that its launcher bound, the store, and the leases.
package struct CacheServer: Sendable {
  private let options: ServerOptions

  package init(options: ServerOptions) {
    self.options = options
  }

  /// Lookups are short and do not wait for each other, so few threads serve many tools: one for two processors, since
  /// more only compete with the compilers (on two processors, one thread answers faster than two), and at most four.
  private static let mostThreads = 4

  /// Serves until the server's time has come. Throws when it cannot begin.
  package func run() async throws {
    Self.setLimits()
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
    let transfers = ActivityCount()
    let claim = SocketClaim(instance: options.instance)
    let door = FrontDoor(
      instance: options.instance, endpoint: endpoint, claim: claim, group: group, controlLoop: controlLoop)
    let upstreams = makeUpstreams(store: store, transfers: transfers, loop: controlLoop)
    let lifecycle = ServerLifecycle(
      instance: options.instance, claim: claim, transfers: transfers, uploads: { upstreams?.hopefulUploads ?? 0 }
    ) { await door.isQuiet() }
    EndSignals.observe { lifecycle.report(.terminated) }
    let peers = PeerSide(options: options, store: store, transfers: transfers, group: group)
    let server = ServerContext(
      instance: options.instance, store: store,
      compilers: CompilerWorkspace(
        directories: CompilerDirectories(cacheDirectory: options.parameters.cacheDirectory), store: store),
      leases: LeaseRegistry(processes: LinuxProcessTable()), lifecycle: lifecycle,
      transfers: transfers, workers: workers, peers: peers, upstreams: upstreams,
      history: options.stateDirectory.map { BuildHistory(stateDirectory: $0) })

    server.watchStore()

    // The launcher takes the absence of `ready` as a sign that no tool has been answered, so its socket comes first.
    try await door.open(.control, for: server)
    try? FileSystem.remove(options.instance.starting)
    await peers?.start(for: server.cache)
    if let upstreams { use(upstreams, in: server.cache, workers: workers) }
    await server.firstLease()
    for socket in ServerSocket.allCases where socket != .control { try await door.open(socket, for: server) }
    try await door.openHTTP(for: server)
    server.removeAbandonedTemporaries()
    server.tidyCompilers()
    server.collectIfNeeded()
    let watch = Task { await door.watch(for: server) }
    await lifecycle.run()
    watch.cancel()
    await peers?.stop()
    upstreams?.stop()
  }

  private func makeUpstreams(store: CacheStore, transfers: ActivityCount, loop: any EventLoop) -> UpstreamGroup? {
    guard !options.parameters.upstreams.isEmpty, let dataDirectory = options.dataDirectory else { return nil }
    return UpstreamGroup(
      .init(
        settings: options.parameters.upstreams, secret: options.parameters.sealingSecret, store: store,
        dataDirectory: dataDirectory, transfers: transfers, loop: loop, surroundings: options.surroundings))
  }

  /// Lookups that come before the upstreams are ready wait for them.
  private func use(_ upstreams: UpstreamGroup, in cache: LayeredCache, workers: NIOThreadPool) {
    for layer in upstreams.layers { cache.add(layer) }
    cache.onStore { upstreams.stored($0) }
    workers.submit { _ in upstreams.prepare() }
  }

  /// The limits are the first build's; a server has a descriptor for each tool that is running.
  private static func setLimits() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(resource, &limit)
    // The team's secret is in memory.
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
  }

  private func openStore() throws -> CacheStore {
    let directory = options.parameters.cacheDirectory
    do {
      // A team's entries are kept apart also where they only go to its stores.
      let secret = options.peerSettings?.secret ?? options.parameters.sealingSecret
      let scope = secret.flatMap { TeamKeys.scope(secret: $0.text) } ?? .private
      return try CacheStore(directory: directory, maxSize: options.parameters.maxSize, scope: scope)
    } catch {
      throw StartFailure(description: "the cache in \(directory) cannot be opened: \(error)")
    }
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
