import DesktopBus
import NIOPosix
import PeerRecords
import Synchronization

/// Asks the user by desktop notifications, one after another, and writes the answers down. Where there is no desktop the
/// question stays in the records, for `fabrik p2p approve` and `deny`.
final class ConsentAsker: Sendable {
  /// Questions that wait for their turn; what is beyond them can be found by `fabrik p2p pending`.
  private static let queueLimit = 8
  private static let patience = Duration.seconds(600)

  private let records: PeerRecords
  private let notifications: DesktopNotifications
  private let queue = Mutex<[(peer: PeerIdentifier, name: String, address: String)]>([])
  private let isAsking = Atomic<Bool>(false)

  init(records: PeerRecords, notifications: DesktopNotifications) {
    self.records = records
    self.notifications = notifications
  }

  func ask(_ peer: PeerIdentifier, _ name: String, _ address: String) {
    queue.withLock { if $0.count < Self.queueLimit { $0.append((peer, name, address)) } }
    guard !isAsking.exchange(true, ordering: .acquiringAndReleasing) else { return }
    let thread = NIOThreadPool(numberOfThreads: 1)
    thread.start()
    thread.submit { _ in
      while let (peer, name, address) = self.queue.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
        self.put(peer, name, address)
      }
      self.isAsking.store(false, ordering: .releasing)
      thread.shutdownGracefully { _ in }
    }
  }

  private func put(_ peer: PeerIdentifier, _ name: String, _ address: String) {
    // The user may have answered by another way meanwhile.
    guard records.consent(of: peer)?.consent == .pending else { return }
    let answer = notifications.ask(
      title: "Share build results with \(DisplayText.name(name))?",
      body: "\(DisplayText.name(name)) (\(address), \(peer.short)) has your team's secret and would like to fetch what "
        + "you have built.",
      actions: [
        .init(key: "once", label: "Allow once"), .init(key: "always", label: "Always"),
        .init(key: "deny", label: "Deny"),
      ], timeout: Self.patience)
    guard case .action(let key) = answer, records.consent(of: peer)?.consent == .pending else { return }
    let consent: Consent? = ["once": .once, "always": .always, "deny": .denied][key]
    if let consent { try? records.setConsent(consent, of: peer) }
  }
}
