import CacheStore
import NIOCore
import Synchronization

/// Keeps what peers are told of the store in step with it: what this server stores is added at once, and what others have
/// changed is found by listing the store.
final class SummaryUpkeep: Sendable {
  private struct State {
    /// What the store's counters said when it was listed last.
    var entries: Int64 = 0
    var removals: Int64 = 0
    var listed = NIODeadline.now()
    /// Entries this server has stored since.
    var stored: Int64 = 0
  }

  /// An entry that is announced and gone costs whoever asks for it one question, and then is forgotten; a new listing
  /// may cost all peers a whole summary.
  static let removalPause = TimeAmount.seconds(60)

  private let store: CacheStore
  private let summary: OwnSummary
  private let state = Mutex(State())

  init(store: CacheStore, summary: OwnSummary) {
    self.store = store
    self.summary = summary
  }

  /// To be called with each key that this server has stored.
  func stored(_ key: CacheKey) {
    state.withLock { $0.stored += 1 }
    summary.insert(store.fingerprint(of: key))
  }

  /// Lists the store if others have changed it. Blocks while it does: half a second for a million entries.
  func refresh(isForced: Bool, now: NIODeadline = .now()) {
    guard isForced || isListingDue(now) else { return }
    state.withLock { state in
      state = State(entries: store.entryCount, removals: store.removals, listed: now)
    }
    summary.replace {
      var fingerprints: Set<UInt32> = []
      store.forEachFingerprint { if fingerprints.count < OwnSummary.limit { fingerprints.insert($0) } }
      return fingerprints
    }
  }

  /// Whether others have stored something, or something was removed a while ago.
  private func isListingDue(_ now: NIODeadline) -> Bool {
    state.withLock { state in
      let removed = store.removals - state.removals
      // What this server stored and what was removed does not explain the count. An entry that was replaced is both. The
      // two counters are not read together: at worst the store is listed once too often.
      if store.entryCount + removed != state.entries + state.stored { return true }
      return removed != 0 && now > state.listed + Self.removalPause
    }
  }
}
