import NIOCore
import Synchronization

/// What a running network has to remember beside its parts: what is said of it, and what is to be closed.
final class StatusBoard: Sendable {
  private struct State {
    var fields: [String: String] = [:]
    var channels: [any Channel] = []
  }

  private let state = Mutex(State())

  var fields: [String: String] { state.withLock { $0.fields } }

  /// - Parameter value: nil removes the field.
  func set(_ name: String, _ value: String?) {
    state.withLock { $0.fields[name] = value }
  }

  /// Says what does not work, beside what else does not.
  func add(problem: String) {
    state.withLock { state in
      state.fields["problem"] = [state.fields["problem"], problem].compactMap { $0 }.joined(separator: "; ")
    }
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
}
