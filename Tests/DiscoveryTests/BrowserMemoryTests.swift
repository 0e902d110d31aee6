import Testing

@testable import Discovery

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

  @Test("is not renewed by an answer that the goodbye has overtaken")
  mutating func overtaken() {
    bench.hear(Sample.announcement(of: "a"))
    _ = bench.events()
    bench.hear(Sample.announcement(of: "a", lifetime: 0))
    bench.hear(Sample.announcement(of: "a", lifetime: 10), isOneShot: true)
    #expect(bench.events(within: .seconds(2)).map(\.event) == [.lost(instance: "a")])
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
