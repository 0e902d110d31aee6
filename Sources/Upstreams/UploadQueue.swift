import CacheStore
import ChannelSupport
import ControlProtocol
import NIOCore
import Synchronization
import SystemPackage
import SystemSupport

/// Entries that are to be sent to one store. Only their keys wait: their bodies are in the local store. No build waits for
/// any of it; what is left when the server ends is taken up by the next.
final class UploadQueue: Sendable {
  /// Keys that may wait: about as many as a very large build stores. Of more, the oldest are dropped.
  private static let limit = 50_000
  /// Requests under way at a time: enough to hide the round trips, few enough to leave the line to lookups.
  private static let concurrency = 4
  /// How soon to look again whether a store that could not be written to has recovered.
  private static let retryInterval = TimeAmount.seconds(2)
  /// How often one entry is tried.
  private static let mostAttempts = 3

  fileprivate struct State {
    var order: [CacheKey] = []
    /// Where the order begins; what is before has been taken.
    var first = 0
    /// How often each that waits has failed.
    var waiting: [CacheKey: Int] = [:]
    var active = 0
    var isPaused = false
    var isStopped = false
    var sent = 0
    var dropped = 0
  }

  private let upstream: Upstream
  private let local: CacheStore
  private let supply: EquipmentSupply
  private let transfers: ActivityCount
  private let loop: any EventLoop
  /// Keeps what was left.
  private let file: FilePath
  private let state = Mutex(State())

  /// - Parameters:
  ///   - transfers: counts what is under way, so that the server does not end meanwhile.
  ///   - file: where keys that were left are kept from one server to the next.
  init(
    upstream: Upstream, local: CacheStore, supply: EquipmentSupply, transfers: ActivityCount, loop: any EventLoop,
    file: FilePath
  ) {
    self.upstream = upstream
    self.local = local
    self.supply = supply
    self.transfers = transfers
    self.loop = loop
    self.file = file
  }

  func enqueue(_ key: CacheKey) {
    state.withLock { state in
      guard !state.isStopped, state.waiting[key] == nil else { return }
      state.waiting[key] = 0
      state.order.append(key)
      if state.waiting.count > Self.limit, let oldest = state.takeFirst() {
        state.waiting[oldest] = nil
        state.dropped += 1
      }
    }
    pump()
  }

  /// To be called when the equipment is there.
  func begin() {
    for key in takeLeftOver() { enqueue(key) }
    pump()
  }

  private func pump() {
    guard let equipment = supply.equipment else { return }
    while let (key, attempts) = next() {
      transfers.begin()
      EntryUpload(key, of: upstream, equipment: equipment, from: local) { outcome in
        self.ended(key, attempts, outcome)
        self.transfers.end()
      }.start()
    }
  }

  private func next() -> (CacheKey, attempts: Int)? {
    let isPauseDue: Bool
    let result: (CacheKey, Int)?
    (result, isPauseDue) = state.withLock { state in
      guard !state.isStopped, state.active < Self.concurrency, !state.waiting.isEmpty else { return (nil, false) }
      guard upstream.health.admits(.writing) else {
        defer { state.isPaused = true }
        return (nil, !state.isPaused)
      }
      guard let key = state.takeFirst(), let attempts = state.waiting.removeValue(forKey: key) else {
        upstream.health.recordNothing(.writing)
        return (nil, false)
      }
      state.active += 1
      return ((key, attempts), false)
    }
    if isPauseDue {
      loop.scheduleTask(in: Self.retryInterval) {
        self.state.withLock { $0.isPaused = false }
        self.pump()
      }
    }
    return result.map { ($0.0, attempts: $0.1) }
  }

  private func ended(_ key: CacheKey, _ attempts: Int, _ outcome: StoreExchange.Outcome) {
    switch outcome {
    case .done:
      upstream.health.recordSuccess(.writing)
      upstream.misses.remove(key)
    case .problem(let problem): upstream.health.record(problem, .writing)
    case .absent, .nothing: upstream.health.recordNothing(.writing)
    }
    state.withLock { state in
      state.active -= 1
      switch outcome {
      case .done: state.sent += 1
      case .problem(let problem) where problem.kind != .ofObject && attempts + 1 < Self.mostAttempts:
        if state.waiting.updateValue(attempts + 1, forKey: key) == nil { state.order.append(key) }
      case .nothing where state.isStopped:
        if state.waiting.updateValue(attempts, forKey: key) == nil { state.order.append(key) }
      default: state.dropped += 1
      }
    }
    pump()
  }

  /// Entries that wait or are under way.
  var count: Int { state.withLock { $0.waiting.count + $0.active } }

  // MARK: - From one server to the next

  /// Takes nothing more. What is under way when the engine is stopped after this waits again, for ``keepLeftOver()``.
  func stop() {
    state.withLock { $0.isStopped = true }
  }

  /// Writes down what has not been sent.
  func keepLeftOver() {
    let keys = state.withLock { state in state.order[state.first...].filter { state.waiting[$0] != nil } }
    guard !keys.isEmpty else { return }
    try? FileSystem.makeDirectories(file.removingLastComponent(), permissions: 0o700)
    try? SmallFile.replace(file, with: keys.map { "\($0)\n" }.joined())
  }

  private func takeLeftOver() -> [CacheKey] {
    guard let text = SmallFile.read(file) else { return [] }
    try? FileSystem.remove(file)
    return text.split(separator: "\n").prefix(Self.limit).compactMap { line in
      let parts = line.split(separator: "/")
      guard parts.count == 2, let bytes = Hex.decode(Array(parts[1].utf8)) else { return nil }
      return CacheKey(namespace: String(parts[0]), bytes: bytes)
    }
  }
}

extension UploadQueue.State {
  fileprivate mutating func takeFirst() -> CacheKey? {
    while first < order.count {
      let key = order[first]
      first += 1
      // Not all the room at once, or each would cost as much as all.
      if first > 1024, first * 2 > order.count {
        order.removeFirst(first)
        first = 0
      }
      if waiting[key] != nil { return key }
    }
    return nil
  }
}
