import SystemSupport

@testable import Discovery

/// A browser with a clock that only tests move.
struct BrowserBench {
  private(set) var now = Instant.now
  var browser = Browser { $0["team"] == "t" }

  init() {
    browser.add(interface: 2, now: now)
    _ = browser.takeQueries(now: now)
  }

  mutating func pass(_ duration: Duration) { now += duration }

  mutating func hear(
    _ message: DNSMessage, from sender: String = "10.77.0.9", on interface: UInt32 = 2, isLoopback: Bool = false,
    isOneShot: Bool = false
  ) {
    let sender = InternetAddress(sender)!
    browser.receive(
      message, from: .init(sender: sender, interface: interface, isLoopback: isLoopback, isOneShot: isOneShot),
      now: now)
  }

  mutating func events() -> [DiscoveryEvent] { browser.takeEvents(now: now) }

  mutating func questions() -> [DNSMessage] { browser.takeQueries(now: now).map(\.message) }

  /// What is reported by and by, until nothing has been said for so long.
  mutating func events(within duration: Duration) -> [(after: Duration, event: DiscoveryEvent)] {
    let start = now
    var result: [(after: Duration, event: DiscoveryEvent)] = []
    while true {
      _ = questions()
      result += events().map { (now - start, $0) }
      guard let next = browser.nextDue, next <= start + duration else { break }
      now = max(now, next)
    }
    now = start + duration
    return result
  }
}

func found(_ instance: String, port: UInt16 = 4711, at addresses: String...) -> DiscoveryEvent {
  .found(
    DiscoveredService(
      instance: instance, port: port, addresses: addresses.map { InternetAddress($0)! }, text: ["team": "t"]))
}
