import Testing

@testable import CacheServer

/// When a server ends.
struct LingerPolicyTests {
  /// A server whose time passes when the test says so, and which looks when it has asked to.
  private struct Server {
    private let start = ContinuousClock.now
    private var time = Duration.zero
    private var policy: LingerPolicy
    private var looks: [(time: Duration, generation: Int)] = []
    var transfers = 0
    /// When the last transfer ended.
    var lastTransfer = Duration.seconds(-1000)
    var uploads = 0
    /// How it has been told to end; nil: it has not.
    private(set) var end: LingerPolicy.Step?

    init() {
      policy = LingerPolicy(now: start)
      take(policy.firstStep)
    }

    mutating func report(_ event: LingerPolicy.Event) {
      let activity = LingerPolicy.Activity(
        transfers: transfers, idleTime: transfers > 0 ? .zero : time - lastTransfer, uploads: uploads)
      take(policy.handle(event, activity: activity, now: start + time))
    }

    mutating func pass(_ duration: Duration) {
      let end = time + duration
      while let next = looks.min(by: { $0.time < $1.time }), next.time <= end {
        looks.removeAll { $0 == next }
        time = max(time, next.time)
        report(.looked(generation: next.generation))
      }
      time = end
    }

    /// A build, after which the server lingers.
    mutating func build(linger: Duration = .zero) {
      report(.leaseOpened)
      report(.leaseClosed(linger: linger, remaining: 0))
    }

    /// Has a launcher join after all.
    mutating func refuseEnd() {
      end = nil
      take(policy.stepAfterDelay)
    }

    private mutating func take(_ step: LingerPolicy.Step) {
      switch step {
      case .wait: break
      case .look(let delay, let generation): looks.append((time + delay, generation))
      case .end, .endNow: end = step
      }
    }
  }

  private let longEnough = Duration.seconds(1_000_000)
  private var server = Server()

  /// It ends when this time has passed, and not before.
  private mutating func expectEnd(after duration: Duration, at location: SourceLocation = #_sourceLocation) {
    server.pass(duration - .milliseconds(1))
    #expect(server.end == nil, sourceLocation: location)
    server.pass(.milliseconds(1))
    #expect(server.end == .end, sourceLocation: location)
  }

  @Test mutating func `ends when no launcher has come in half a minute`() {
    expectEnd(after: .seconds(30))
  }

  @Test mutating func `stays for as long as somebody holds a lease`() {
    server.report(.leaseOpened)
    server.report(.leaseOpened)
    server.report(.leaseClosed(linger: .zero, remaining: 1))
    server.pass(longEnough)
    #expect(server.end == nil)
    server.report(.leaseClosed(linger: .zero, remaining: 0))
    #expect(server.end == .end)
  }

  @Test mutating func `lingers as long as the last lease wanted`() {
    server.build(linger: .seconds(10))
    expectEnd(after: .seconds(10))
  }

  @Test mutating func `is there for who comes while it lingers`() {
    server.build(linger: .seconds(10))
    server.pass(.seconds(5))
    server.report(.leaseOpened)
    server.pass(longEnough)
    #expect(server.end == nil)
    server.report(.leaseClosed(linger: .seconds(10), remaining: 0))
    expectEnd(after: .seconds(10))
  }

  @Test mutating func `lingers anew after the last transfer`() {
    server.build(linger: .seconds(10))
    server.pass(.seconds(8))
    server.lastTransfer = .seconds(8)
    expectEnd(after: .seconds(10))
  }

  @Test mutating func `a transfer under way is waited for, for an hour`() {
    server.transfers = 1
    server.build()
    expectEnd(after: .seconds(3600))
  }

  @Test mutating func `what waits to be sent up is waited for, for a minute`() {
    server.uploads = 1
    server.build()
    expectEnd(after: .seconds(60))
  }

  @Test mutating func `ends soon after the last of what it waited for`() {
    (server.transfers, server.uploads) = (1, 1)
    server.build()
    server.pass(.seconds(20))
    (server.transfers, server.uploads) = (0, 0)
    server.pass(.milliseconds(50))
    #expect(server.end == .end)
  }

  @Test mutating func `a daemon stays until it is told to end`() {
    server.report(.kept)
    server.build()
    server.pass(longEnough)
    #expect(server.end == nil)
    server.report(.stopped(leases: 0))
    #expect(server.end == .end)
  }

  @Test mutating func `who is told to end does so after the builds, without lingering`() {
    server.report(.kept)
    server.report(.leaseOpened)
    server.report(.stopped(leases: 1))
    server.pass(longEnough)
    #expect(server.end == nil)
    server.report(.leaseClosed(linger: .seconds(10), remaining: 0))
    #expect(server.end == .end)
  }

  @Test mutating func `who is told to end waits five seconds for transfers`() {
    server.transfers = 1
    server.report(.stopped(leases: 0))
    expectEnd(after: .seconds(5))
  }

  @Test mutating func `who becomes a daemon while it lingers stays`() {
    server.build(linger: .seconds(10))
    server.report(.kept)
    server.pass(longEnough)
    #expect(server.end == nil)
  }

  @Test mutating func `looks again soon when somebody was about to join`() {
    server.pass(LingerPolicy.patience)
    server.refuseEnd()
    expectEnd(after: .milliseconds(50))
  }

  @Test mutating func `ends at once when it is terminated`() {
    server.report(.leaseOpened)
    server.transfers = 1
    server.report(.terminated)
    #expect(server.end == .endNow)
  }
}
