import ChannelSupport
import ControlProtocol
import Cryptography
import LayeredCache
import NIOCore
import NIOPosix
import Synchronization
import SystemPackage
import SystemSupport
import Upstreams

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What every connection of this server shares.
final class ServerContext: Sendable {
  private let instance: ServerInstance
  let cache: LayeredCache
  let leases: LeaseRegistry
  let lifecycle: ServerLifecycle
  let transfers: ActivityCount
  let recent = RecentBodies()
  let misses = MissClock()
  /// Files that were handed out, and are kept from being evicted.
  let pinnedFiles = ActivityCount()
  /// nil: off.
  let peers: PeerSide?
  /// nil: there are none.
  let upstreams: UpstreamGroup?
  private let start = ContinuousClock.now
  private let workers: NIOThreadPool
  private let isCollecting = Atomic<Bool>(false)
  private let launcherHeard = AsyncStream<Void>.makeStream()

  init(
    instance: ServerInstance, cache: LayeredCache, leases: LeaseRegistry, lifecycle: ServerLifecycle,
    transfers: ActivityCount,
    workers: NIOThreadPool, peers: PeerSide?, upstreams: UpstreamGroup?
  ) {
    self.instance = instance
    self.cache = cache
    self.leases = leases
    self.lifecycle = lifecycle
    self.transfers = transfers
    self.workers = workers
    self.peers = peers
    self.upstreams = upstreams
  }

  var status: ServerStatus {
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    return ServerStatus(
      version: fabrikVersion, process: getpid(),
      uptimeMilliseconds: seconds * 1000 + attoseconds / 1_000_000_000_000_000, isDaemon: lifecycle.isDaemon,
      leases: leases.count, peers: PeerStatus(fields: peers?.statusFields ?? [:]))
  }

  /// Reports that a launcher's first message has been handled, or that it went away without one.
  func reportLauncher() {
    launcherHeard.continuation.finish()
  }

  /// Returns when the launcher that started this server, which connected beforehand, has its lease or is gone.
  func firstLease() async {
    for await _ in launcherHeard.stream {}
  }

  /// Removes, in the background, what writers that were killed have left.
  func removeAbandonedTemporaries() {
    workers.submit { _ in self.cache.removeAbandonedTemporaries() }
  }

  /// Keeps, in the background, what a build that has ended asked for; the server stays until that is done.
  func storePlan(of lease: LeaseRegistry.Lease) {
    guard let plan = lease.plan, cache.hasOtherLayers else { return }
    let keys = lease.account.journaledKeys
    guard !keys.isEmpty else { return }
    transfers.begin()
    workers.submit { _ in
      self.cache.storePlan(plan, of: keys, excluding: lease.account.excluded, digest: OpenSSLDigest())
      self.collectIfNeeded()
      self.transfers.end()
    }
  }

  /// Removes, in the background, what was written for a build's tools.
  func removeFiles(of lease: LeaseRegistry.Lease) {
    let directory = instance.buildDirectory(lease: lease.id)
    workers.submit { _ in try? FileSystem.removeTree(directory) }
  }

  /// Starts an eviction in the background when the store has outgrown its limit. To be called after each write.
  func collectIfNeeded() {
    if cache.needsCollection { startCollecting() }
  }

  /// Starts an eviction in the background, which also counts anew, unless one is under way.
  func startCollecting() {
    guard !isCollecting.exchange(true, ordering: .relaxed) else { return }
    workers.submit { _ in
      self.cache.collect()
      self.isCollecting.store(false, ordering: .relaxed)
    }
  }
}
