package import CacheStore
package import ChannelSupport
package import ControlProtocol
import Cryptography
package import LayeredCache
package import NIOCore
import Synchronization
package import SystemPackage
import SystemSupport

/// Tells the time; tests have one of their own.
package typealias UpstreamClock = @Sendable () -> NIODeadline

/// All stores behind the peers of one server.
package final class UpstreamGroup: Sendable {
  /// What a group is made of.
  package struct Parameters: Sendable {
    /// In the order in which they are asked.
    package let settings: [UpstreamSettings]
    /// Seals what goes up; nil: nothing is sealed.
    package let secret: Secret?
    package let store: CacheStore
    /// `$XDG_DATA_HOME/fabrik`.
    package let dataDirectory: FilePath
    /// Uploads under way.
    package let transfers: ActivityCount
    package let loop: any EventLoop
    package let surroundings: UpstreamSurroundings
    /// By which stores that do not work are left alone for a while.
    package let clock: UpstreamClock

    package init(
      settings: [UpstreamSettings], secret: Secret?, store: CacheStore, dataDirectory: FilePath,
      transfers: ActivityCount, loop: any EventLoop, surroundings: UpstreamSurroundings,
      clock: @escaping UpstreamClock = { .now() }
    ) {
      self.settings = settings
      self.secret = secret
      self.store = store
      self.dataDirectory = dataDirectory
      self.transfers = transfers
      self.loop = loop
      self.surroundings = surroundings
      self.clock = clock
    }
  }

  private struct Member: Sendable {
    let upstream: Upstream
    /// nil: read only.
    let uploads: UploadQueue?
  }

  private let parameters: Parameters
  private let supply = EquipmentSupply()
  private let surroundings: SharedSurroundings
  private let members: [Member]
  private let isStopped = Mutex(false)

  package init(_ parameters: Parameters) {
    self.parameters = parameters
    let surroundings = SharedSurroundings(parameters.surroundings)
    let supply = supply
    self.surroundings = surroundings
    members = parameters.settings.enumerated().map { number, settings in
      let upstream = Upstream(
        settings, number: number, store: Self.store(for: settings, surroundings), local: parameters.store,
        supply: supply,
        surroundings: surroundings, clock: parameters.clock)
      guard !settings.isReadOnly else { return Member(upstream: upstream, uploads: nil) }
      let name = ShortHash.name(
        of: Array("\(settings.url)\0\(settings.endpoint ?? "")\0".utf8) + parameters.store.scope.tag)
      let uploads = UploadQueue(
        upstream: upstream, local: parameters.store, supply: supply, transfers: parameters.transfers,
        loop: parameters.loop, file: parameters.dataDirectory.appending("uploads").appending(name))
      return Member(upstream: upstream, uploads: uploads)
    }
  }

  private static func store(for settings: UpstreamSettings, _ surroundings: SharedSurroundings) -> any ObjectStore {
    settings.kind == .s3 ? S3Store(settings, surroundings) : HTTPStore(settings)
  }

  /// What the cache asks, in this order.
  package var layers: [any CacheLayer] { members.map(\.upstream) }

  /// Loads what is needed; blocks for some milliseconds, and for 100 ms when a team's secret is new on this machine.
  /// Lookups wait for it.
  package func prepare() {
    let equipment = Result { try makeEquipment() }
    let isInTime = isStopped.withLock { isStopped in
      if !isStopped { supply.supply(equipment) }
      return !isStopped
    }
    guard isInTime else {
      try? equipment.get().engine.stop()
      return supply.supply(.failure(EngineFailure(description: "the server ends")))
    }
    for member in members { member.uploads?.begin() }
  }

  private func makeEquipment() throws -> Equipment {
    let engine = try TransferEngine()
    guard let secret = parameters.secret else { return Equipment(engine: engine, sealingKey: nil, scope: "plain") }
    let keys = try TeamKeys(secret: secret.text, directory: TeamKeys.directory(in: parameters.dataDirectory))
    return Equipment(engine: engine, sealingKey: keys.sealingKey, scope: "sealed-\(keys.storeTag)")
  }

  /// To be called when a build begins.
  ///
  /// - Parameter isAlone: whether no other build is running. One without credentials must not take those of another away.
  package func buildBegins(with surroundings: UpstreamSurroundings, isAlone: Bool = true) {
    if isAlone || surroundings.hasCredentials || !self.surroundings.value.hasCredentials {
      self.surroundings.value = surroundings
    }
  }

  /// To be called with each entry that was stored here.
  package func stored(_ event: StoreEvent) {
    // What a peer gave was sent up by whoever made it. What a store gave is written to those that are nearer.
    guard event.source != .peers else { return }
    for member in members where !event.excluded.contains(member.upstream.name) {
      guard event.source.map({ member.upstream.name < $0 }) ?? true else { continue }
      member.uploads?.enqueue(event.key)
    }
  }

  /// Tries all of them out, one after the other: takes as long as they do.
  ///
  /// - Parameter surroundings: of whoever asks.
  package func check(with surroundings: UpstreamSurroundings) async -> [UpstreamReport] {
    buildBegins(with: surroundings, isAlone: false)
    try? await supply.settling(on: parameters.loop)?.get()
    var reports: [UpstreamReport] = []
    for member in members {
      guard let equipment = supply.equipment else {
        let reason = UpstreamReport.Right.problem(supply.failure ?? "not ready")
        reports.append(.init(url: member.upstream.url, layer: member.upstream.name, reading: reason, writing: reason))
        continue
      }
      let check = UpstreamCheck(upstream: member.upstream, equipment: equipment)
      reports.append(await check.run(waiting: member.uploads?.count))
    }
    return reports
  }

  /// What went wrong and was not said yet, a line for each.
  package func takeNotices() -> [String] {
    var lines = members.flatMap { $0.upstream.health.takeUnsaid() }
    if let failure = supply.takeFailure() { lines.append("upstreams are not used: \(failure)") }
    return lines
  }

  /// Objects that were not what they should have been, since the start.
  package var rejected: Int { members.reduce(0) { $0 + $1.upstream.health.rejected } }

  /// Entries that may soon be up.
  package var hopefulUploads: Int { members.reduce(0) { $0 + ($1.uploads?.hopefulCount ?? 0) } }

  /// Entries that are still to be sent up.
  package var uploads: Int { members.reduce(0) { $0 + ($1.uploads?.count ?? 0) } }

  /// Ends everything, and keeps for the next server what has not been sent. Blocks for some milliseconds.
  package func stop() {
    isStopped.withLock { $0 = true }
    for member in members { member.uploads?.stop() }
    supply.equipment?.engine.stop()
    for member in members { member.uploads?.keepLeftOver() }
  }
}
