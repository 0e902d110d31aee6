import SystemSupport
import Testing

@testable import Discovery

@Suite("A browser")
struct BrowserTests {
  private var bench = BrowserBench()

  @Test("asks at once, after 1, 3, 9, 27 and 60 seconds, and then each minute")
  mutating func schedule() {
    let start = bench.now
    var browser = Browser { _ in true }
    browser.add(interface: 2, now: start)
    var times: [Duration] = []
    while times.count < 8, let due = browser.nextDue {
      #expect(browser.takeQueries(now: due - .nanoseconds(1)).isEmpty)
      let queries = browser.takeQueries(now: due)
      #expect(queries.map(\.message.questions) == [[DNSQuestion(name: ServiceName.type, type: DNSType.ptr)]])
      times.append(due - start)
    }
    #expect(times == [0, 1, 3, 9, 27, 60, 120, 180].map { .seconds($0) })
  }

  @Test("asks once for what it missed while the machine slept")
  mutating func sleep() {
    bench.pass(.seconds(100_000))
    #expect(bench.questions().count == 1)
    #expect(bench.questions().isEmpty)
  }

  @Test("asks again when it is told to, but not twice in a second")
  mutating func refresh() {
    _ = bench.events(within: .seconds(30))
    bench.browser.refresh()
    bench.browser.refresh()
    #expect(bench.questions().count == 1)
    bench.browser.refresh()
    #expect(bench.questions().isEmpty)
    bench.pass(.seconds(1))
    #expect(bench.questions().count == 1)
  }

  @Test("asks anew on an interface that comes up")
  mutating func laterInterface() {
    _ = bench.events(within: .seconds(30))
    bench.browser.add(interface: 3, now: bench.now)
    #expect(bench.browser.takeQueries(now: bench.now).map(\.interface) == [3])
  }

  @Test("reports a service when all of it is known, once")
  mutating func oneService() {
    bench.hear(Sample.announcement(of: "a"))
    #expect(bench.events() == [found("a", at: "10.77.0.9")])
    bench.hear(Sample.announcement(of: "a"))
    #expect(bench.events().isEmpty)
  }

  @Test("understands avahi-daemon")
  func avahi() throws {
    for packet in [RecordedPacket.announcement, .oneShotAnswer] {
      var bench = BrowserBench()
      bench.hear(try #require(DNSMessage(packet: packet.bytes)), isOneShot: packet.bytes[0] != 0)
      let service = DiscoveredService(
        instance: "testservice", port: 4711,
        addresses: ["10.77.0.3", "fe80::fa:b0ff:fe00:3%2"].map { InternetAddress($0)! },
        text: ["v": "1", "team": "t", "id": "x"])
      #expect(bench.events() == [.found(service)])
      bench.hear(try #require(DNSMessage(packet: RecordedPacket.goodbye.bytes)))
      #expect(bench.events(within: .seconds(2)).map(\.event) == [.lost(instance: "testservice")])
    }
  }

  @Test("forgets what it does not want at once")
  mutating func strangers() {
    for number in 0..<10_000 { bench.hear(Sample.announcement(of: "stranger\(number)", text: ["team": "other"])) }
    bench.hear(Sample.announcement(of: "a"))
    #expect(bench.events() == [found("a", at: "10.77.0.9")])
    #expect(bench.browser.kept == 1)
  }

  @Test("loses a service whose text it does not want any more")
  mutating func unwanted() {
    bench.hear(Sample.announcement(of: "a"))
    _ = bench.events()
    bench.hear(Sample.announcement(of: "a", text: ["team": "other"]))
    #expect(bench.events() == [.lost(instance: "a")])
  }

  @Test("keeps no more than 128 services, however many are wanted")
  mutating func manyServices() {
    for number in 0..<1000 {
      bench.hear(Sample.announcement(of: "a\(number)"), from: "10.77.\(number / 200).\(number % 200)")
    }
    #expect(bench.events().count == 128)
    #expect(bench.browser.kept == 128)
  }

  @Test("keeps no more than 32 services of one sender, so that there is room for others")
  mutating func crowd() {
    for number in 0..<1000 { bench.hear(Sample.announcement(of: "a\(number)")) }
    bench.hear(Sample.announcement(of: "b"), from: "10.77.0.8")
    #expect(bench.events().count == 33)
    #expect(bench.events().isEmpty && bench.browser.kept == 33)
  }

  @Test("keeps no more than 16 addresses of a service")
  mutating func manyAddresses() {
    for start in stride(from: 1, to: 200, by: 20) {
      bench.hear(Sample.announcement(of: "a", addresses: (start..<start + 20).map { "10.0.0.\($0)" }))
    }
    guard case .found(let service) = bench.events().first else {
      Issue.record("not found")
      return
    }
    #expect(service.addresses.count == 16)
  }

  @Test("never reports its own service")
  mutating func own() {
    bench.browser.ignore(instance: "A")
    bench.hear(Sample.announcement(of: "a"))
    #expect(bench.events().isEmpty && bench.browser.kept == 0)
    bench.hear(Sample.announcement(of: "b"))
    _ = bench.events()
    bench.browser.ignore(instance: "b")
    #expect(bench.events() == [.lost(instance: "b")])
  }

  @Test("merges what several interfaces tell, the best address first")
  mutating func interfaces() {
    for interface: UInt32 in [1, 3] { bench.browser.add(interface: interface, now: bench.now) }
    bench.hear(Sample.announcement(of: "a", addresses: ["fe80::9", "fd00::9", "10.77.0.9"]), on: 2)
    bench.hear(Sample.announcement(of: "a", addresses: ["fe80::9", "10.77.0.9"]), on: 3)
    bench.hear(Sample.announcement(of: "a", addresses: ["::1", "127.0.0.1"]), on: 1, isLoopback: true)
    #expect(bench.events() == [found("a", at: "127.0.0.1", "::1", "10.77.0.9", "fd00::9", "fe80::9%2", "fe80::9%3")])
    bench.pass(.seconds(1))
    bench.browser.remove(interface: 2)
    #expect(bench.events() == [found("a", at: "127.0.0.1", "::1", "10.77.0.9", "fe80::9%3")])
    bench.browser.remove(interface: 1)
    bench.browser.remove(interface: 3)
    #expect(bench.events() == [.lost(instance: "a")])
  }

  @Test("reports addresses of the local network only, and loopback only from the loopback itself")
  mutating func addresses() {
    bench.hear(
      Sample.announcement(
        of: "a", addresses: ["8.8.8.8", "127.0.0.1", "::1", "2001:db8::1", "::ffff:10.0.0.1", "0.0.0.0", "224.0.0.1"]))
    #expect(bench.events().isEmpty)
    bench.hear(Sample.announcement(of: "a", addresses: ["192.168.7.7", "8.8.4.4"]))
    #expect(bench.events() == [found("a", at: "192.168.7.7")])
  }

  @Test("gathers news about a service, so that a noisy one costs little")
  mutating func gathering() {
    bench.hear(Sample.announcement(of: "a", port: 1))
    #expect(bench.events() == [found("a", port: 1, at: "10.77.0.9")])
    for port: UInt16 in 2...50 { bench.hear(Sample.announcement(of: "a", port: port)) }
    let events = bench.events(within: .seconds(1))
    #expect(events.map(\.event) == [found("a", port: 50, at: "10.77.0.9")])
    #expect(events.first?.after == .milliseconds(50))
  }
}
