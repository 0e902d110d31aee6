import Synchronization

/// Notes what it is asked and answers no.
final class Recorder: Sendable {
  private let questions = Mutex<[String]>([])

  var all: [String] { questions.withLock { $0 } }

  func record(_ question: String) -> Bool {
    questions.withLock { $0.append(question) }
    return false
  }
}
