package import CacheStore
package import ControlProtocol
package import LayeredCache
package import NIOCore
import Synchronization
import SystemPackage

/// One store behind the peers: Layer 1 or 2.
///
/// Never fails: whatever goes wrong is a miss, and the user is told of it once.
package final class Upstream: CacheLayer {
  package let name: CacheLayerName
  package let identifier: LayerIdentifier
  /// Where it is, as the user wrote it.
  package var url: String { settings.url }
  package var place: String { settings.url }

  let settings: UpstreamSettings
  let store: any ObjectStore
  private let local: CacheStore
  let health: UpstreamHealth
  let misses: MissMemory
  private let supply: EquipmentSupply
  private let surroundings: SharedSurroundings

  init(
    _ settings: UpstreamSettings, number: Int, store: any ObjectStore, local: CacheStore, supply: EquipmentSupply,
    surroundings: SharedSurroundings, clock: @escaping UpstreamClock
  ) {
    self.settings = settings
    self.store = store
    self.local = local
    self.supply = supply
    self.surroundings = surroundings
    name = settings.layer
    identifier = LayerIdentifier(settings.layer, number: number)
    health = UpstreamHealth(name: "upstream \(settings.url)", clock: clock)
    misses = MissMemory(clock: clock)
  }

  /// For the local store's records.
  var origin: String { settings.url }

  var connectionOptions: ConnectionOptions {
    surroundings.value.connectionOptions(for: settings)
  }

  package func mayHold(_ key: CacheKey) -> Bool {
    supply.failure == nil && health.isUsable(.reading) && !misses.contains(key)
  }

  package func reasonNotToAsk(_ key: CacheKey) -> LayerOutcome {
    if let failure = supply.failure { return LayerOutcome(.unready, detail: failure) }
    if let suspension = health.suspension(.reading) { return suspension }
    switch misses.reason(for: key) {
    case .rejected: return LayerOutcome(.remembered, detail: "what it had was not the entry")
    case .tooLarge: return LayerOutcome(.remembered, detail: EntryDownload.tooLarge)
    case .absent, nil: return LayerOutcome(.remembered)
    }
  }

  package var isSettling: Bool { supply.isAwaited }

  package func settling(on loop: any EventLoop) -> EventLoopFuture<Void>? {
    supply.settling(on: loop)
  }

  package func fetch(
    _ key: CacheKey, urgency: FetchUrgency, within patience: TimeAmount, on loop: any EventLoop
  ) -> EventLoopFuture<LayerAnswer> {
    guard let equipment = supply.equipment, health.admits(.reading) else {
      return loop.makeSucceededFuture(.nothing(reasonNotToAsk(key)))
    }
    let answer = EntryDownload.Answer(promise: loop.makePromise(), stored: loop.makePromise())
    let timer = loop.scheduleTask(in: patience) {
      // What comes later is stored all the same, for the next who asks.
      answer.give(.nothing(LayerOutcome(.late)))
    }
    let result = answer.promise.futureResult
    result.whenComplete { _ in timer.cancel() }
    let urgency: TransferEngine.Urgency = urgency == .tool ? .lookup : .prefetch
    EntryDownload(key, of: self, equipment: equipment, urgency: urgency, into: local, answer: answer).start()
    return result
  }

  package func expedite(_ key: CacheKey) {
    supply.equipment?.engine.expedite(key)
  }
}

/// The surroundings of the build that began last.
final class SharedSurroundings: Sendable {
  private let box: Mutex<UpstreamSurroundings>

  init(_ value: UpstreamSurroundings) {
    box = Mutex(value)
  }

  var value: UpstreamSurroundings {
    get { box.withLock { $0 } }
    set { box.withLock { $0 = newValue } }
  }
}

extension UpstreamSurroundings {
  /// As curl reads these variables; `HTTP_PROXY` in capitals is left out, as it is there.
  func connectionOptions(for settings: UpstreamSettings) -> ConnectionOptions {
    let all = self["all_proxy"] ?? self["ALL_PROXY"]
    return ConnectionOptions(
      authorityFile: settings.authorityFile?.string ?? self["AWS_CA_BUNDLE"].flatMap { settings.kind == .s3 ? $0 : nil }
        ?? self["CURL_CA_BUNDLE"] ?? self["SSL_CERT_FILE"],
      secureProxy: self["https_proxy"] ?? self["HTTPS_PROXY"] ?? all, plainProxy: self["http_proxy"] ?? all,
      proxyExceptions: self["no_proxy"] ?? self["NO_PROXY"],
      // S3 has credentials of its own, and a token says enough.
      netrcFile: settings.kind == .s3 || settings.token != nil
        ? nil : self["NETRC"] ?? self["HOME"].map { "\($0)/.netrc" },
      connectPatience: settings.timeout)
  }
}
