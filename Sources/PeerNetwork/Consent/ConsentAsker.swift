import DesktopBus
package import PeerRecords
import Synchronization
package import SystemPackage
import SystemSupport

/// Asks the user by desktop notifications, one after another, and writes the answers down. Where there is no desktop the
/// question stays in the records, for `fabrik p2p approve` and `deny`.
package final class ConsentAsker: Sendable {
  /// Questions that wait for their turn; what is beyond them can be found by `fabrik p2p pending`.
  private static let queueLimit = 8
  private static let patience = Duration.seconds(600)
  /// How often it is looked whether the user has answered by a command.
  private static let lookInterval = Duration.seconds(1)

  private struct Question: Sendable {
    let peer: PeerIdentifier
    let name: String
    let address: String
  }

  private let records: PeerRecords
  private let notifications: DesktopNotifications
  private let questions: AsyncStream<Question>.Continuation
  private let work = Mutex<Task<Void, Never>?>(nil)

  /// - Parameters:
  ///   - dataDirectory: of the user, where the records are.
  ///   - busAddress: of the user's session on D-Bus; nil: there is none.
  package init(dataDirectory: FilePath, busAddress: String?) {
    records = PeerNetwork.records(in: dataDirectory)
    notifications = DesktopNotifications(busAddress: busAddress)
    let (stream, continuation) = AsyncStream.makeStream(
      of: Question.self, bufferingPolicy: .bufferingOldest(Self.queueLimit))
    questions = continuation
    work.withLock {
      $0 = Task { [weak self] in
        for await question in stream { await self?.put(question) }
      }
    }
  }

  package func ask(_ peer: PeerIdentifier, _ name: String, _ address: String) {
    questions.yield(Question(peer: peer, name: name, address: address))
  }

  /// Takes back what is shown.
  package func stop() {
    questions.finish()
    work.withLock { $0?.cancel() }
  }

  private func isOpen(_ question: Question) -> Bool { records.consent(of: question.peer)?.consent == .pending }

  private func put(_ question: Question) async {
    guard isOpen(question), let interruption = try? Interruption() else { return }
    // The user may answer by a command while the notification is shown.
    let watch = Task {
      while isOpen(question), (try? await Task.sleep(for: Self.lookInterval)) != nil {}
      interruption.fire()
    }
    let name = DisplayText.name(question.name)
    let answer = await notifications.answer(
      title: "Share build results with \(name)?",
      body: "\(name) (\(question.address), \(question.peer.short)) has your team's secret and would like to fetch what "
        + "you have built.",
      actions: [
        .init(key: "once", label: "Allow once"), .init(key: "always", label: "Always"),
        .init(key: "deny", label: "Deny"),
      ], timeout: Self.patience, interruption: interruption)
    watch.cancel()
    guard case .action(let key) = answer, isOpen(question) else { return }
    let consent: Consent? = ["once": .once, "always": .always, "deny": .denied][key]
    if let consent { try? records.setConsent(consent, of: question.peer) }
  }
}
