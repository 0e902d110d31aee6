import DesktopBus

/// What the publisher's thread does: it keeps a session with the bus, and begins another one when that has failed.
struct AvahiWork: Sendable {
  /// Waits between two attempts where nothing tells of a change (no bus, a daemon that hangs), in seconds.
  private static let pauses = [1, 2, 4, 8, 15, 30, 60]

  let service: PublishedService
  let interfaces: [String]
  let busAddress: String
  let interruption: Interruption
  let onChange: @Sendable (AvahiPublisher.State) -> Void

  /// Ends when it is interrupted.
  func run() {
    let reporter = Reporter(onChange: onChange, interruption: interruption)
    var failures = 0
    while !interruption.isFired {
      let failure: BusFailure
      do throws(BusFailure) {
        let session = AvahiSession(
          bus: try BusConnection(address: busAddress, interruption: interruption), service: service,
          interfaces: interfaces, onChange: reporter.report)
        failure = session.run()
        if reporter.hasPublished { failures = 0 }
      } catch {
        failure = error
      }
      reporter.report(.unavailable(failure.description))
      reporter.hasPublished = false
      interruption.wait(until: .after(.seconds(Self.pauses[min(failures, Self.pauses.count - 1)])))
      failures += 1
    }
  }

  /// Passes on what is news.
  private final class Reporter {
    var hasPublished = false
    private var last: AvahiPublisher.State?
    private let onChange: @Sendable (AvahiPublisher.State) -> Void
    private let interruption: Interruption

    init(onChange: @escaping @Sendable (AvahiPublisher.State) -> Void, interruption: Interruption) {
      self.onChange = onChange
      self.interruption = interruption
    }

    func report(_ state: AvahiPublisher.State) {
      guard state != last, !interruption.isFired else { return }
      last = state
      hasPublished = hasPublished || state == .published
      onChange(state)
    }
  }
}
