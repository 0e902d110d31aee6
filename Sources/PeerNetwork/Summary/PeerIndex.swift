import ControlProtocol
import PeerRecords
import Synchronization

/// What each peer holds, as far as its summary says: asked with every lookup, on any thread.
final class PeerIndex: Sendable {
  /// One connected peer's place in the index.
  typealias Slot = Int

  /// Fingerprints of all peers together; what is beyond it is left out. 32 MiB.
  private let limit: Int
  /// Fingerprints of one peer: it must not take the others' places, whatever it announces.
  private let limitPerPeer: Int

  private struct State {
    var tables: [Slot: FingerprintTable] = [:]
    var count = 0
    var next = 0
    var standings: [Slot: Standing] = [:]
    /// Why a key that no table has is not asked for.
    var reason = LayerOutcome(.alone)
  }

  private struct Standing {
    let name: String
    let answer: PeerSighting.Answer
  }

  /// Peers that are named where nobody is asked.
  private static let mostNames = 3

  private let state = Mutex(State())

  init(limit: Int = 4 << 20, limitPerPeer: Int = OwnSummary.limit) {
    self.limit = limit
    self.limitPerPeer = limitPerPeer
  }

  func open() -> Slot {
    state.withLock { state in
      state.next += 1
      state.tables[state.next] = FingerprintTable()
      return state.next
    }
  }

  func close(_ slot: Slot) {
    state.withLock { state in
      state.count -= state.tables.removeValue(forKey: slot)?.count ?? 0
      if state.standings.removeValue(forKey: slot) != nil { state.reason = Self.reason(state.standings) }
    }
  }

  /// Notes what a peer says to our requests.
  func note(_ answer: PeerSighting.Answer, of name: String, at slot: Slot) {
    state.withLock { state in
      guard state.tables[slot] != nil else { return }
      state.standings[slot] = Standing(name: name, answer: answer)
      state.reason = Self.reason(state.standings)
    }
  }

  /// Why nobody is asked for what nobody holds.
  var reason: LayerOutcome { state.withLock { $0.reason } }

  private static func reason(_ standings: [Slot: Standing]) -> LayerOutcome {
    let allowed = standings.values.count { $0.answer == .allowed }
    let others = standings.sorted { $0.key < $1.key }.map(\.value).filter { $0.answer != .allowed }
    let names = others.prefix(mostNames).map { "\($0.name): \($0.answer == .denied ? "denied" : "consent pending")" }
    let rest = others.count > mostNames ? ["\(others.count - mostNames) more"] : []
    return LayerOutcome(
      allowed == 0 ? .alone : .unheld, number: allowed, detail: (names + rest).joined(separator: ", "))
  }

  /// Forgets what a peer holds; it stays connected.
  func clear(_ slot: Slot) {
    replace(slot, by: FingerprintTable())
  }

  func replace(_ slot: Slot, by table: FingerprintTable) {
    state.withLock { state in
      guard let old = state.tables[slot] else { return }
      let left = min(limitPerPeer, limit - (state.count - old.count))
      let new = table.count <= left ? table : FingerprintTable()
      state.count += new.count - old.count
      state.tables[slot] = new
    }
  }

  func insert(_ fingerprints: [UInt32], into slot: Slot) {
    state.withLock { state in
      guard var table = state.tables.removeValue(forKey: slot) else { return }
      let before = table.count
      let most = min(limitPerPeer, limit - (state.count - before))
      for fingerprint in fingerprints where table.count < most { table.insert(fingerprint) }
      state.count += table.count - before
      state.tables[slot] = table
    }
  }

  /// To be called when the peer did not have it after all: it is not asked for it again.
  func remove(_ fingerprint: UInt32, from slot: Slot) {
    state.withLock { state in
      guard var table = state.tables.removeValue(forKey: slot) else { return }
      let before = table.count
      table.remove(fingerprint)
      state.count += table.count - before
      state.tables[slot] = table
    }
  }

  /// Whether anybody says to hold it.
  func contains(_ fingerprint: UInt32) -> Bool {
    state.withLock { state in state.tables.values.contains { $0.contains(fingerprint) } }
  }

  func holders(of fingerprint: UInt32) -> [Slot] {
    state.withLock { state in state.tables.filter { $0.value.contains(fingerprint) }.map(\.key) }
  }

  func count(of slot: Slot) -> Int { state.withLock { $0.tables[slot]?.count ?? 0 } }
}
