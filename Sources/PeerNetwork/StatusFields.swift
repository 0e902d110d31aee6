import Synchronization

/// What is said of a running network.
final class StatusFields: Sendable {
  private let fields = Mutex<[String: String]>([:])

  var all: [String: String] { fields.withLock { $0 } }

  /// - Parameter value: nil removes the field.
  func set(_ name: String, _ value: String?) {
    fields.withLock { $0[name] = value }
  }

  /// Says what does not work, beside what else does not.
  func add(problem: String) {
    fields.withLock { $0["problem"] = [$0["problem"], problem].compactMap { $0 }.joined(separator: "; ") }
  }
}
