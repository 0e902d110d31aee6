import BuildRecords
import CacheStore
import ChannelSupport
import ControlProtocol
import Cryptography
import Glibc
import LayeredCache
import NIOCore
import NIOPosix
import Synchronization
import SystemPackage
import SystemSupport
import Upstreams

/// What every connection of this server shares.
final class ServerContext: Sendable {
  private let instance: ServerInstance
  let store: CacheStore
  /// The store, and the layers behind it.
  let cache: LayeredCache
  let leases: LeaseRegistry
  let lifecycle: ServerLifecycle
  let transfers: ActivityCount
  let recent = RecentBodies()
  let misses = KeyClock()
  /// Files that were handed out, and are kept from being evicted.
  let pinnedFiles = ActivityCount()
  let companions = Companions()
  let compilers: CompilerWorkspace
  /// nil: off.
  let peers: PeerSide?
  /// nil: there are none.
  let upstreams: UpstreamGroup?
  /// nil: nobody wants to know what builds asked for.
  private let history: BuildHistory?
  private let start = NIODeadline.now()
  private let workers: NIOThreadPool
  private let isCollecting = Atomic<Bool>(false)
  private let launcherHeard = AsyncStream<Void>.makeStream()

  init(
    instance: ServerInstance, store: CacheStore, compilers: CompilerWorkspace, leases: LeaseRegistry,
    lifecycle: ServerLifecycle, transfers: ActivityCount, workers: NIOThreadPool, peers: PeerSide?,
    upstreams: UpstreamGroup?, history: BuildHistory?
  ) {
    self.instance = instance
    self.history = history
    self.store = store
    cache = LayeredCache(local: store)
    self.compilers = compilers
    self.leases = leases
    self.lifecycle = lifecycle
    self.transfers = transfers
    self.workers = workers
    self.peers = peers
    self.upstreams = upstreams
  }

  var status: ServerStatus {
    ServerStatus(
      version: fabrikVersion, process: getpid(),
      uptimeMilliseconds: (NIODeadline.now() - start).nanoseconds / 1_000_000, isDaemon: lifecycle.isDaemon,
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

  /// Removes, in the background, what writers and builds that were killed have left.
  func removeAbandonedTemporaries() {
    let builds = instance.builds
    workers.submit { _ in
      self.store.removeAbandonedTemporaries()
      for name in (try? FileSystem.entries(of: builds)) ?? [] {
        guard let status = try? FileSystem.status(builds.appending(name)) else { continue }
        let age = Int64(CacheStore.systemTime() / 1000) - Int64(status.st_mtim.tv_sec)
        if age > Self.longestBuild { try? FileSystem.removeTree(builds.appending(name)) }
      }
    }
  }

  /// Seconds. A build's files go with its lease, unless its server is killed.
  private static let longestBuild: Int64 = 2 * 86400

  /// Keeps, in the background, the compilers' working directories within bounds, and removes those of earlier boots.
  func tidyCompilers() {
    workers.submit { _ in
      self.compilers.removeOthers()
      self.compilers.tidy()
    }
  }

  /// A build or a compiler does not use the compilers' working directory any more.
  func endCompilerUse(isCompiler: Bool) {
    if compilers.end(isCompiler: isCompiler) { workers.submit { _ in self.compilers.tidy() } }
  }

  /// Keeps, in the background, what a build that has ended asked for; the server stays until that is done.
  func storePlan(of lease: LeaseRegistry.Lease) {
    guard let plan = lease.plan, cache.hasOtherLayers else { return }
    let keys = lease.account.journaledKeys
    guard !keys.isEmpty else { return }
    transfers.begin()
    workers.submit { _ in
      self.cache.storePlan(plan, of: keys, excluding: lease.account.excluded, digest: OpenSSLDigest())
      self.transfers.end()
    }
  }

  /// Removes, in the background, what was written for a build's tools.
  func removeFiles(of lease: LeaseRegistry.Lease) {
    let directory = instance.buildDirectory(lease: lease.id)
    workers.submit { _ in try? FileSystem.removeTree(directory) }
  }

  /// Keeps, in the background, what became of the lookups of a build that has ended; the server stays until that is
  /// done.
  func keepRecord(of lease: LeaseRegistry.Lease) {
    let end = CacheStore.systemTime()
    guard lease.record != nil, !lease.account.current.isEmpty else { return }
    transfers.begin()
    workers.submit { _ in
      self.write(lease, end: end)
      self.transfers.end()
    }
  }

  /// Writes, in the background, what has become of the lookups of the builds that are running; by then, the records of
  /// those that have ended are written as well.
  func recordBuilds(on loop: any EventLoop) -> EventLoopFuture<Void> {
    let promise = loop.makePromise(of: Void.self)
    workers.submit { _ in
      for lease in self.leases.all where !lease.account.current.isEmpty { self.write(lease, end: nil) }
      promise.succeed()
    }
    return promise.futureResult
  }

  private func write(_ lease: LeaseRegistry.Lease, end: UInt64?) {
    guard let history, var record = lease.record else { return }
    record.end = end
    lease.account.fill(&record)
    // A disk that is full, or whatever else: it is for information only.
    try? history.keep(record)
  }

  /// Keeps the store within its limit, in the background, from now on.
  func watchStore() {
    cache.onStore { [self] event in
      // A tool's entry may have taken the place of one that was sent before it was stored, which replaced nothing.
      if event.source == nil { recent.forget(event.key) }
      collectIfNeeded()
    }
  }

  /// Starts an eviction in the background when the store has outgrown its limit, or would not notice.
  func collectIfNeeded() {
    if store.needsCollection || store.isUncounted { startCollecting() }
  }

  /// Starts an eviction in the background, which also counts anew, unless one is under way.
  private func startCollecting() {
    guard !isCollecting.exchange(true, ordering: .relaxed) else { return }
    workers.submit { _ in
      _ = try? self.store.collect()
      self.isCollecting.store(false, ordering: .relaxed)
    }
  }
}
