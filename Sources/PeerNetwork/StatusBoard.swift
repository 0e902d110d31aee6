import CacheStore
import NIOCore
import Synchronization

/// What a running network has to remember beside its parts: what is said of it, and what is to be closed.
final class StatusBoard: Sendable {
  private struct State {
    var fields: [String: String] = [:]
    var channels: [any Channel] = []
    /// What the store's counters said when it was listed last.
    var entries: Int64 = 0
    var removals: Int64 = 0
    var listed = NIODeadline.now()
    /// Entries this server has stored since.
    var stored: Int64 = 0
  }

  /// An entry that is announced and gone costs whoever asks for it one question, and then is forgotten; a new listing
  /// may cost all peers a whole summary.
  private static let removalPause = TimeAmount.seconds(60)

  private let state = Mutex(State())

  var fields: [String: String] { state.withLock { $0.fields } }

  /// - Parameter value: nil removes the field.
  func set(_ name: String, _ value: String?) {
    state.withLock { $0.fields[name] = value }
  }

  func keep(_ channel: any Channel) {
    state.withLock { $0.channels.append(channel) }
  }

  func takeChannels() -> [any Channel] {
    state.withLock { state in
      defer { state.channels = [] }
      return state.channels
    }
  }

  /// This server has stored an entry.
  func noteStored() {
    state.withLock { $0.stored += 1 }
  }

  /// Whether the summary may differ from the store: others have stored something, or something was removed a while ago.
  func isListingDue(_ store: CacheStore) -> Bool {
    state.withLock { state in
      store.entryCount != state.entries + state.stored
        || store.removals != state.removals && NIODeadline.now() > state.listed + Self.removalPause
    }
  }

  /// The store is being listed.
  func noteListing(of store: CacheStore) {
    state.withLock { state in
      state.entries = store.entryCount
      state.removals = store.removals
      state.stored = 0
      state.listed = .now()
    }
  }
}
