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
  static let limit = 50_000
  /// Bytes of keys that are kept from one server to the next, 20 000 of ccache's: a ``SmallFile`` may not be longer.
  private static let leftOverLimit = 1_000_000
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
    /// What is under way; twice what has been stored anew meanwhile.
    var active: [CacheKey] = []
    var isPaused = false
    var isStopped = false
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
    add([key], evenIfStopped: false)
  }

  private func add(_ keys: [CacheKey], evenIfStopped: Bool) {
    state.withLock { state in
      guard evenIfStopped || !state.isStopped else { return }
      for key in keys { state.append(key) }
    }
    pump()
  }

  /// To be called when the equipment is there.
  func begin() {
    // Else what was left would be taken from the file, and never be written back.
    guard !state.withLock({ $0.isStopped }) else { return }
    add(takeLeftOver(), evenIfStopped: true)
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
      guard !state.isStopped, !state.isPaused, state.active.count < Self.concurrency, !state.waiting.isEmpty else {
        return (nil, false)
      }
      guard upstream.health.admits(.writing) else { return (nil, state.pause()) }
      guard let key = state.takeFirst(), let attempts = state.waiting.removeValue(forKey: key) else {
        upstream.health.recordNothing(.writing)
        return (nil, false)
      }
      state.active.append(key)
      return ((key, attempts), false)
    }
    if isPauseDue { goOnLater() }
    return result.map { ($0.0, attempts: $0.1) }
  }

  private func goOnLater() {
    loop.scheduleTask(in: Self.retryInterval) {
      self.state.withLock { $0.isPaused = false }
      self.pump()
    }
  }

  private func ended(_ key: CacheKey, _ attempts: Int, _ outcome: StoreExchange.Outcome) {
    switch outcome {
    case .done:
      upstream.health.recordSuccess(.writing)
      upstream.misses.remove(key)
    case .problem(let problem):
      upstream.health.record(problem, .writing, isGivenUp: attempts + 1 >= Self.mostAttempts)
    case .absent, .nothing: upstream.health.recordNothing(.writing)
    }
    let isPauseDue = state.withLock { state in
      if let index = state.active.firstIndex(of: key) { state.active.remove(at: index) }
      switch outcome {
      case .done: break
      case .problem(let problem) where problem.kind != .ofObject && attempts + 1 < Self.mostAttempts:
        // What is wrong with all is no fault of this one.
        let next = problem.kind == .lasting ? attempts : attempts + 1
        state.putBack(key, attempts: next)
        // Else it would be tried again at once.
        return state.pause()
      case .nothing where state.isStopped:
        state.putBack(key, attempts: attempts)
      default: break
      }
      return false
    }
    if isPauseDue { goOnLater() }
    pump()
  }

  /// Entries that may soon be up: those that wait or are under way, unless the store cannot be written to for a while.
  var hopefulCount: Int { upstream.health.isHopeless(.writing) ? 0 : count }

  /// Entries that wait or are under way.
  var count: Int { state.withLock { $0.waiting.count + $0.active.count } }

  // MARK: - From one server to the next

  /// Takes nothing more. What is under way when the engine is stopped after this has not been sent, for
  /// ``keepLeftOver()``.
  func stop() {
    state.withLock { $0.isStopped = true }
  }

  /// Writes down what has not been sent.
  func keepLeftOver() {
    var keys = state.withLock { state in
      // What is still being prepared has not come to the engine yet.
      state.active.filter { state.waiting[$0] == nil } + state.order[state.first...].filter { state.waiting[$0] != nil }
    }
    guard !keys.isEmpty else { return }
    // What another server has left meanwhile, or was left before this one had begun.
    let known = Set(keys)
    keys.insert(contentsOf: readLeftOver().filter { !known.contains($0) }, at: 0)
    // The newest are the likeliest to be there still.
    var lines: [String] = []
    var size = 0
    for key in keys.reversed() {
      let line = "\(key)\n"
      size += line.utf8.count
      guard size <= Self.leftOverLimit else { break }
      lines.append(line)
    }
    try? FileSystem.makeDirectories(file.removingLastComponent(), permissions: 0o700)
    try? SmallFile.replace(file, with: lines.reversed().joined())
  }

  private func takeLeftOver() -> [CacheKey] {
    defer { try? FileSystem.remove(file) }
    return readLeftOver()
  }

  private func readLeftOver() -> [CacheKey] {
    guard let text = SmallFile.read(file) else { return [] }
    return text.split(separator: "\n").prefix(Self.limit).compactMap { line in
      let parts = line.split(separator: "/")
      guard parts.count == 2, let bytes = Hex.decode(Array(parts[1].utf8)) else { return nil }
      return CacheKey(namespace: String(parts[0]), bytes: bytes)
    }
  }
}

extension UploadQueue.State {
  /// It was taken, and has not been sent. If it has been stored anew meanwhile, it waits already.
  fileprivate mutating func putBack(_ key: CacheKey, attempts: Int) {
    if waiting.updateValue(attempts, forKey: key) == nil { order.append(key) }
  }

  /// Nothing is sent until it is over; false when that has been arranged already.
  fileprivate mutating func pause() -> Bool {
    defer { isPaused = true }
    return !isPaused
  }

  fileprivate mutating func append(_ key: CacheKey) {
    guard waiting[key] == nil else { return }
    waiting[key] = 0
    order.append(key)
    if waiting.count > UploadQueue.limit, let oldest = takeFirst() {
      waiting[oldest] = nil
    }
  }

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
