package import CacheStore
import ControlProtocol
import Cryptography
import Glibc
import LayeredCache
import NIOCore
import NIOPosix
import PeerRecords
import Synchronization
import SystemPackage
import SystemSupport

/// Layer 0.5, both ways: finds the team's other machines, asks them, and answers them.
///
/// Starting takes a few milliseconds and happens beside the build; whatever cannot be started is left out, and said in
/// ``statusFields``.
package final class PeerNetwork: Sendable {
  /// Lookups at the very beginning wait this long for peers that were there a short while ago.
  private static let settlingTime = TimeAmount.milliseconds(60)
  /// How often records are written, local servers looked for, and the store compared with the summary.
  private static let upkeepInterval = TimeAmount.seconds(10)

  private let parameters: Parameters
  let member: TeamMember
  private let known: KnownPeers
  let book: PeerBook
  let index = PeerIndex()
  let summary = OwnSummary()
  private let summaryUpkeep: SummaryUpkeep
  let loop: any EventLoop
  let directory: NIOLoopBound<PeerDirectory>
  private let settling = SettlingFlag()
  private let rendezvous: Rendezvous
  private let doors: PeerDoors
  let background = NIOThreadPool(numberOfThreads: 1)
  private let discovery: PeerDiscovery
  let status = StatusFields()
  private let upkeepTask = Mutex<RepeatedTask?>(nil)

  /// What the cache asks.
  package let layer: PeerLayer

  /// Blocks while keys are derived: about 100 ms when a team's secret is used on this machine for the first time.
  /// - Throws: when the machine's identity cannot be read or made, or OpenSSL lacks what is needed.
  package init(_ parameters: Parameters) throws {
    self.parameters = parameters
    let settings = parameters.settings
    let now = CacheStore.systemTime
    let keys = try TeamKeys(
      secret: settings.secret.text, directory: TeamKeys.directory(in: parameters.dataDirectory))
    let identity = try MachineIdentity(file: parameters.dataDirectory.appending("identity"))
    member = try TeamMember(keys: keys, identity: identity, name: settings.name, now: now)
    let records = Self.records(in: parameters.dataDirectory)
    let team = Hex.encode(Array(parameters.store.scope.tag.prefix(8)))
    known = KnownPeers(records: records, team: team)
    book = PeerBook(records: records, team: team, own: identity.identifier, now: now)
    rendezvous = Rendezvous(directory: parameters.rendezvousDirectory, tag: keys.announcementTag(day: 0))
    loop = parameters.group.next()
    summaryUpkeep = SummaryUpkeep(store: parameters.store, summary: summary)
    let directoryBox = try Self.onLoop(loop) { [member, index, book, settling, loop, background] in
      let storing = BackgroundStoring(pool: background)
      return NIOLoopBound(
        PeerDirectory(loop: loop, member: member, index: index, book: book, storing: storing) { settling.clear() },
        eventLoop: loop)
    }
    directory = directoryBox
    let consent = ConsentGate(
      mode: settings.consent, records: records, own: identity.identifier, now: now, ask: parameters.ask)
    let service = PeerService(
      member: member, store: parameters.store, summary: summary, consent: consent, transfers: parameters.transfers,
      book: book
    ) { [loop] peer, address in
      guard let endpoint = PeerEndpoint(address?.internetAddress, port: peer.port) else { return }
      loop.execute { directoryBox.value.add(endpoint, source: .met) }
    }
    doors = PeerDoors(
      service: service, settings: settings, rendezvous: rendezvous, group: parameters.group, status: status)
    discovery = PeerDiscovery(member: member, interfaces: settings.interfaces, status: status) { [loop] change in
      loop.execute {
        switch change {
        case .found(let endpoint): directoryBox.value.add(endpoint, source: .announced)
        case .lost(let endpoint): directoryBox.value.withdraw(endpoint)
        }
      }
    }
    layer = PeerLayer(
      store: parameters.store, index: index, directory: directoryBox, loop: loop, isSettling: settling)
  }

  private static func onLoop<Value: Sendable>(
    _ loop: any EventLoop, _ body: @escaping @Sendable () -> Value
  ) throws -> Value {
    try loop.submit(body).wait()
  }

  // MARK: - Starting

  /// Listens, looks for peers and dials those that are known. Returns when all of that is under way.
  package func start() async {
    background.start()
    background.submit { _ in Self.yieldToTools() }
    let port = await doors.open()
    status.set("port", "\(port)")
    try? await onDirectory { $0.listeningPort = port }
    await dialKnown()
    discovery.start(port: port)
    background.submit { _ in self.summaryUpkeep.refresh(isForced: true) }
    let this = self
    let task = loop.scheduleRepeatedTask(initialDelay: Self.upkeepInterval, delay: Self.upkeepInterval) { _ in
      this.background.submit { if $0 == .active { this.upkeep() } }
    }
    upkeepTask.withLock { $0 = task }
  }

  /// Lowers the priority of the calling thread: to store what a tool has already got must not take the time of tools.
  /// (Linux keeps priorities for each thread, whatever POSIX says.)
  private static func yieldToTools() {
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
  }

  private func onDirectory(_ body: @escaping @Sendable (PeerDirectory) -> Void) async throws {
    let directory = directory
    try await loop.submit { body(directory.value) }.get()
  }

  /// Dials who is written in the configuration, is on this machine, or was met before.
  private func dialKnown() async {
    let (fresh, all) = known.endpoints(now: member.now())
    let configured = parameters.settings.addresses.compactMap(PeerEndpoint.init)
    let local = localServers(sweeping: true)
    try? await onDirectory { directory in
      for endpoint in configured { directory.add(endpoint, source: .configured) }
      for endpoint in local { directory.add(endpoint, source: .announced) }
      for endpoint in fresh { directory.add(endpoint, source: .met) }
      directory.beginSettling(within: Self.settlingTime)
      for endpoint in all { directory.add(endpoint, source: .met) }
    }
  }

  private func localServers(sweeping: Bool = false) -> [PeerEndpoint] {
    rendezvous.others(than: member.instance, sweeping: sweeping).map { .local(path: $0.string) }
  }

  /// To be called when a build begins: opens what was closed while nobody built, and looks around.
  package func buildBegins() {
    discovery.refresh()
    let directory = directory
    loop.execute { directory.value.warmUp() }
  }

  // MARK: - Upkeep

  /// To be called with each key that was stored.
  package func stored(_ key: CacheKey) {
    summaryUpkeep.stored(key)
  }

  private func upkeep() {
    book.flush()
    summaryUpkeep.refresh(isForced: false)
    discovery.renew()
    let local = localServers()
    let directory = directory
    loop.execute { directory.value.setLocal(local, isComplete: local.count < Rendezvous.limit) }
  }

  // MARK: - Ending

  /// Says goodbye, closes everything and writes the records.
  package func stop() async {
    discovery.stop()
    upkeepTask.withLock { $0.take() }?.cancel()
    await doors.close()
    try? await onDirectory { $0.end() }
    book.flush()
    try? await background.shutdownGracefully()
  }
}
