package import CacheStore
package import ChannelSupport
package import ControlProtocol
import Cryptography
import Discovery
import LayeredCache
import NIOCore
package import NIOPosix
package import PeerRecords
import Synchronization
package import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Layer 0.5, both ways: finds the team's other machines, asks them, and answers them.
///
/// Starting takes a few milliseconds and happens beside the build; whatever cannot be started is left out, and said in
/// ``statusFields``.
package final class PeerNetwork: Sendable {
  /// What a network is made of.
  package struct Parameters: Sendable {
    package let settings: PeerSettings
    /// Of the team's scope.
    package let store: CacheStore
    /// `$XDG_DATA_HOME/fabrik`.
    package let dataDirectory: FilePath
    /// Bodies on their way to peers.
    package let transfers: ActivityCount
    package let group: MultiThreadedEventLoopGroup
    /// Where servers on this machine find each other.
    package let rendezvousDirectory: FilePath
    /// Puts a question to the user; see ``ConsentGate``.
    package let ask: ConsentGate.Question

    package init(
      settings: PeerSettings, store: CacheStore, dataDirectory: FilePath, transfers: ActivityCount,
      group: MultiThreadedEventLoopGroup, rendezvousDirectory: FilePath = Rendezvous.standardDirectory,
      ask: @escaping ConsentGate.Question
    ) {
      self.settings = settings
      self.store = store
      self.dataDirectory = dataDirectory
      self.transfers = transfers
      self.group = group
      self.rendezvousDirectory = rendezvousDirectory
      self.ask = ask
    }
  }

  /// Where records of peers are, below the data directory.
  package static func records(in dataDirectory: FilePath) -> PeerRecords {
    PeerRecords(directory: dataDirectory.appending("peers"))
  }

  /// Whether making a network will take no time: the team's keys have been derived before.
  package static func isQuick(settings: PeerSettings, dataDirectory: FilePath) -> Bool {
    TeamKeys.areKept(secret: settings.secret.text, directory: TeamKeys.directory(in: dataDirectory))
  }

  /// Lookups at the very beginning wait this long for peers that were there a short while ago.
  private static let settlingTime = TimeAmount.milliseconds(60)
  /// Milliseconds: peers seen within this time are waited for at the beginning.
  private static let freshness: UInt64 = 12 * 3_600_000
  /// Milliseconds: peers seen within this time are dialled.
  private static let memory: UInt64 = 30 * 86_400_000
  /// Known peers that are dialled.
  private static let mostKnown = 32
  /// How often records are written, local servers looked for, and the store compared with the summary.
  private static let upkeepInterval = TimeAmount.seconds(10)

  private let parameters: Parameters
  private let member: TeamMember
  private let records: PeerRecords
  private let book: PeerBook
  private let index = PeerIndex()
  private let summary = OwnSummary()
  private let summaryUpkeep: SummaryUpkeep
  private let service: PeerService
  private let loop: any EventLoop
  private let directory: NIOLoopBound<PeerDirectory>
  private let settling = SettlingFlag()
  private let rendezvous: Rendezvous
  private let background = NIOThreadPool(numberOfThreads: 1)
  private let discovery: PeerDiscovery
  private let state: StatusBoard
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
    records = Self.records(in: parameters.dataDirectory)
    book = PeerBook(
      records: records, team: Hex.encode(Array(parameters.store.scope.tag.prefix(8))), own: identity.identifier,
      now: now)
    rendezvous = Rendezvous(directory: parameters.rendezvousDirectory, tag: keys.announcementTag(day: 0))
    loop = parameters.group.next()
    state = StatusBoard()
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
    service = PeerService(
      member: member, store: parameters.store, summary: summary, consent: consent, transfers: parameters.transfers,
      book: book
    ) { [loop] peer, address in
      guard let endpoint = PeerEndpoint(address?.internetAddress, port: peer.port) else { return }
      loop.execute { directoryBox.value.add(endpoint, source: .met) }
    }
    discovery = PeerDiscovery(member: member, interfaces: settings.interfaces, board: state) { [loop] change in
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
    let port = await listen()
    state.set("port", "\(port)")
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

  /// - Returns: the port; 0 when there is none.
  private func listen() async -> UInt16 {
    let settings = parameters.settings
    let interfaces = settings.interfaces
    var addresses: (@Sendable () -> Set<InternetAddress>)?
    if !interfaces.isEmpty { addresses = { LocalAddresses.of(interfaces: interfaces) } }
    let listener = PeerListener(service: service, group: parameters.group, addresses: addresses)
    if let path = rendezvous.socket(of: member.instance),
      let channel = try? await listener.listen(path: path.string)
    {
      // Whoever can open it still has to have the team's key. Links are not followed: whoever made the directory could
      // put one to another file of this user in the socket's place.
      path.withPlatformString { _ = fchmodat(AT_FDCWD, $0, 0o666, AT_SYMLINK_NOFOLLOW) }
      state.keep(channel)
    }
    // Another user of this machine may have the port that was asked for; peers learn of any other as well.
    for port in settings.port == 0 ? [0] : [settings.port, 0] {
      do {
        let channel = try await listener.listen(port: port)
        state.keep(channel)
        return UInt16(channel.localAddress?.port ?? 0)
      } catch {
        state.add(
          problem: port == 0
            ? "no port can be had (\(error)): peers cannot ask this machine"
            : "port \(port) cannot be had (\(error)); peers are answered on another, which a firewall may block")
      }
    }
    return 0
  }

  /// Dials who is written in the configuration, is on this machine, or was met before.
  private func dialKnown() async {
    let now = member.now()
    let team = Hex.encode(Array(parameters.store.scope.tag.prefix(8)))
    let known = records.all().compactMap { $0.2 }
      .filter { $0.team == team && now - min(now, $0.lastSeen) < Self.memory }
      .sorted { $0.lastSeen > $1.lastSeen }
      .prefix(Self.mostKnown)
    let fresh = known.filter { now - min(now, $0.lastSeen) < Self.freshness }.compactMap { PeerEndpoint($0.address) }
    let stale = known.compactMap { PeerEndpoint($0.address) }
    let configured = parameters.settings.addresses.compactMap(PeerEndpoint.init)
    let local = localServers(sweeping: true)
    try? await onDirectory { directory in
      for endpoint in configured { directory.add(endpoint, source: .configured) }
      for endpoint in local { directory.add(endpoint, source: .announced) }
      for endpoint in fresh { directory.add(endpoint, source: .met) }
      directory.beginSettling(within: Self.settlingTime)
      for endpoint in stale { directory.add(endpoint, source: .met) }
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
    for channel in state.takeChannels() { try? await channel.close().get() }
    await service.connections.end()
    try? await onDirectory { $0.end() }
    if let path = rendezvous.socket(of: member.instance) { try? FileSystem.remove(path) }
    book.flush()
    try? await background.shutdownGracefully()
  }

  // MARK: - What is told about it

  /// For `fabrik p2p status`.
  package var statusFields: [String: String] {
    state.fields.merging([
      "id": member.identity.identifier.description, "name": member.name, "entries": "\(summary.count)",
    ]) { $1 }
  }

  /// For `fabrik p2p list`: the peers that are connected. What is known of the others is in the records afterwards.
  package func report() async -> [PeerReport] {
    try? await background.runIfActive { self.book.flush() }
    let directory = directory
    let links = (try? await loop.submit { directory.value.allLinks.compactMap(\.report) }.get()) ?? []
    return links.filter { $0.peer != member.identity.identifier }.map { link in
      let sighting = book.sighting(of: link.peer)
      return PeerReport(
        identifier: link.peer.description, name: link.name, address: link.address,
        latencyMicroseconds: link.latency.map { UInt64(max(0, $0.nanoseconds / 1000)) },
        entries: index.count(of: link.slot), fetchedHits: sighting?.fetchedHits ?? 0,
        fetchedBytes: sighting?.fetchedBytes ?? 0, servedHits: sighting?.servedHits ?? 0,
        servedBytes: sighting?.servedBytes ?? 0, answer: link.answer.rawValue, clockOffsetMilliseconds: link.clockOffset
      )
    }
  }
}

extension PeerLink {
  /// What is told about a connected peer.
  struct Report: Sendable {
    let peer: PeerIdentifier
    let name: String
    let address: String
    let answer: PeerSighting.Answer
    let latency: TimeAmount?
    /// Its clock minus ours, in milliseconds.
    let clockOffset: Int64
    let slot: PeerIndex.Slot
  }

  /// nil as long as it has not introduced itself.
  var report: Report? {
    peer.map {
      Report(
        peer: $0.identifier, name: $0.name, address: endpoint.description, answer: answer, latency: latency.typical,
        clockOffset: clockOffset, slot: slot)
    }
  }
}
