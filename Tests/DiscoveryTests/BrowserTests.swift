import SystemSupport
import Testing

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

@Suite("What a browser knows")
struct BrowserMemoryTests {
  private var bench = BrowserBench()

  @Test("is forgotten when its time is over")
  mutating func expiry() {
    bench.hear(Sample.announcement(of: "a", lifetime: 30))
    _ = bench.events()
    let events = bench.events(within: .seconds(100))
    #expect(events.map(\.event) == [.lost(instance: "a")])
    #expect(events.first?.after == .seconds(30))
    #expect(bench.browser.kept == 0)
  }

  @Test("is asked for when a fifth, a tenth and a twentieth of its time are left")
  mutating func renewal() {
    _ = bench.events(within: .seconds(61))
    bench.hear(Sample.announcement(of: "a", lifetime: 40))
    _ = bench.events()
    for delay in [32, 4, 2] {
      #expect(bench.browser.nextDue == bench.now + .seconds(delay))
      bench.pass(.seconds(delay))
      #expect(bench.questions().count == 1)
    }
    bench.hear(Sample.announcement(of: "a", lifetime: 40))
    #expect(bench.events().isEmpty)
    #expect(bench.browser.nextDue == bench.now + .seconds(21), "the next minute's question comes first")
  }

  @Test("is lost a second after the goodbye, unless somebody objects")
  mutating func goodbye() {
    for objects in [true, false] {
      bench.hear(Sample.announcement(of: "a"))
      _ = bench.events()
      bench.hear(Sample.announcement(of: "a", lifetime: 0))
      #expect(bench.events(within: .milliseconds(900)).isEmpty)
      if objects { bench.hear(Sample.announcement(of: "a")) }
      #expect(bench.events(within: .milliseconds(200)).map(\.event) == (objects ? [] : [.lost(instance: "a")]))
    }
  }

  @Test("is told to those it asks while more than half of its time is left, and not before all of it is known")
  mutating func knownAnswers() throws {
    bench.hear(Sample.announcement(of: "a"))
    bench.pass(.seconds(9))
    let question = try #require(bench.questions().first)
    #expect(
      question.answers == [
        DNSRecord(name: ServiceName.type, lifetime: 111, content: .pointer(ServiceName.instance("a")))
      ])
    bench.pass(.seconds(51))
    #expect(try #require(bench.questions().first).answers.isEmpty)
  }

  @Test("from an answer for old resolvers is believed for longer than that says, and not told as known")
  mutating func oneShot() throws {
    bench.hear(Sample.announcement(of: "a", lifetime: 10), isOneShot: true)
    bench.pass(.seconds(11))
    #expect(bench.events() == [found("a", at: "10.77.0.9")])
    #expect(try #require(bench.questions().first).answers.isEmpty)
    #expect(bench.events(within: .seconds(200)).map(\.event) == [.lost(instance: "a")])
  }

  @Test("of an address that is not told any more is forgotten after a second")
  mutating func flush() {
    bench.hear(Sample.announcement(of: "a", addresses: ["10.0.0.1", "10.0.0.2"]))
    _ = bench.events()
    bench.pass(.seconds(5))
    bench.hear(Sample.announcement(of: "a", addresses: ["10.0.0.2"]))
    #expect(bench.events().isEmpty)
    #expect(bench.events(within: .seconds(2)).map(\.event) == [found("a", at: "10.0.0.2")])
  }

  @Test("stays when an address comes in a packet of its own a moment later")
  mutating func spreadFlush() {
    bench.hear(Sample.announcement(of: "a", addresses: ["10.0.0.1"]))
    bench.pass(.milliseconds(300))
    bench.hear(Sample.announcement(of: "a", addresses: ["10.0.0.2"]))
    #expect(bench.events(within: .seconds(5)).map(\.event).last == found("a", at: "10.0.0.1", "10.0.0.2"))
  }

  @Test("is put together from several packets, and asked for where a part does not come")
  mutating func parts() {
    let whole = Sample.announcement(of: "a")
    let records = whole.answers + whole.additionals
    func message(_ records: some Sequence<DNSRecord>) -> DNSMessage {
      DNSMessage(isResponse: true, answers: Array(records))
    }
    bench.hear(message(records[0...0]))
    bench.pass(.milliseconds(20))
    #expect(bench.questions().map(\.questions) == [[DNSQuestion(name: ServiceName.instance("a"), type: DNSType.any)]])
    bench.hear(message(records[1...1]))
    bench.hear(message(records[2...2]))
    #expect(bench.events().isEmpty)
    bench.pass(.milliseconds(200))
    let host = ServiceName.host("a")
    #expect(
      bench.questions().map(\.questions) == [
        [DNSQuestion(name: host, type: DNSType.a), DNSQuestion(name: host, type: DNSType.aaaa)]
      ])
    bench.hear(message(records[3...]))
    #expect(bench.events() == [found("a", at: "10.77.0.9")])
  }

  @Test("in parts of which the rest never comes is small, and asked for a few times only")
  mutating func halves() {
    for number in 0..<10_000 {
      bench.hear(DNSMessage(isResponse: true, answers: [Sample.announcement(of: "a\(number)").answers[0]]))
    }
    #expect(bench.browser.kept == 64)
    var questions = 0
    for _ in 0..<200 {
      bench.pass(.milliseconds(100))
      questions += bench.questions().filter { $0.questions.first?.type == DNSType.any }.count
      #expect(bench.events().isEmpty)
    }
    #expect((24...48).contains(questions), "64 halves, three times each, eight in a packet")
    #expect(bench.browser.kept == 0)
  }
}
