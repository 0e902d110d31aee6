import SystemSupport
import Testing

@testable import Discovery

@Suite("A responder")
struct ResponderTests {
  private let now = Instant.now
  private let question = DNSMessage(questions: [DNSQuestion(name: ServiceName.type, type: DNSType.ptr)])
  private let whole = Sample.records.message([.pointer, .service, .text, .addresses])

  private func ask(
    _ responder: inout Responder, _ query: DNSMessage, port: UInt16 = 5353, from asker: InternetAddress = Sample.asker,
    after delay: Duration = .zero
  ) -> Outgoing? {
    responder.receive(query, from: asker, port: port, on: Sample.link, now: now + delay)
  }

  @Test("announces a service at once and again after a second, and then is silent")
  func announcements() {
    var responder = Responder()
    responder.add(Sample.link, addresses: Sample.addresses, now: now)
    #expect(responder.publish(Sample.service, now: now).isEmpty)
    for delay in [Duration.zero, .seconds(1)] {
      #expect(responder.nextDue == now + delay)
      #expect(
        responder.takeDue(now: now + delay) == [Outgoing(link: Sample.link, destination: .group, message: whole)])
    }
    #expect(responder.nextDue == nil)
    #expect(responder.takeDue(now: now + .seconds(1000)).isEmpty)
  }

  @Test("announces on a link that comes up later, and not where it has no address of the local network")
  func laterLink() {
    var responder = Sample.responder(now: now)
    let other = Link(interface: 3, family: .ipv6)
    responder.add(other, addresses: [], now: now)
    #expect(responder.takeDue(now: now).isEmpty)
    responder.add(other, addresses: Sample.addresses, now: now + .seconds(2))
    #expect(responder.takeDue(now: now + .seconds(2)).map(\.link) == [other])
  }

  @Test("says goodbye, once, and answers no more")
  func goodbye() throws {
    var responder = Sample.responder(now: now)
    let goodbye = try #require(responder.withdraw().first)
    #expect(goodbye.message.answers.count == 3 && goodbye.message.answers.allSatisfy { $0.lifetime == 0 })
    #expect(responder.withdraw().isEmpty)
    #expect(ask(&responder, question) == nil && ask(&responder, question, port: 999) == nil)
    #expect(responder.nextDue == nil)
  }

  @Test("says goodbye to an instance that another replaces, not to one that only changes")
  func replacement() {
    var responder = Sample.responder(now: now)
    let changed = PublishedService(instance: Sample.service.instance, port: 1, text: [:])
    #expect(responder.publish(changed, now: now).isEmpty)
    #expect(responder.publish(PublishedService(instance: "other", port: 1, text: [:]), now: now).count == 1)
  }

  @Test("answers a question from another port at once and to it alone: RFC 6762 section 6.7")
  func oneShot() throws {
    var responder = Sample.responder(now: now)
    var query = question
    query.identifier = 77
    let answer = try #require(ask(&responder, query, port: 1234))
    #expect(answer.destination == .host(Sample.asker, port: 1234))
    #expect(answer.message.identifier == 77)
    #expect(answer.message.questions == query.questions)
    let records = answer.message.answers + answer.message.additionals
    #expect(records.allSatisfy { $0.lifetime == 10 && !$0.flushes })
    #expect(Set(records.map(\.name)).count == 3 && records.count == 5, "PTR, SRV, TXT, A, AAAA")
    #expect(responder.nextDue == nil, "one packet in, one packet out")
  }

  @Test("waits 20 to 120 ms before it answers the group, since others answer too")
  func delay() {
    let extremes: [(Responder.Jitter, Int)] = [({ $0.lowerBound }, 20), ({ $0.upperBound }, 120)]
    for (jitter, wait) in extremes {
      var responder = Responder(jitter: jitter)
      responder.add(Sample.link, addresses: Sample.addresses, now: now)
      _ = responder.publish(Sample.service, now: now)
      _ = (responder.takeDue(now: now), responder.takeDue(now: now + .seconds(1)))
      let later = now + .seconds(10)
      #expect(
        responder.receive(question, from: Sample.asker, port: 5353, on: Sample.link, now: later) == nil)
      #expect(responder.nextDue == later + .milliseconds(wait))
      #expect(responder.takeDue(now: later + .milliseconds(wait - 1)).isEmpty)
      #expect(responder.takeDue(now: later + .milliseconds(wait)).map(\.message) == [Sample.records.message(.pointer)])
    }
  }

  @Test("does not wait with what nobody else can answer")
  func unique() {
    var responder = Sample.responder(now: now)
    let query = DNSMessage(questions: [DNSQuestion(name: ServiceName.host("0123456789ABCDEF"), type: DNSType.aaaa)])
    _ = ask(&responder, query)
    #expect(responder.takeDue(now: now).map(\.message) == [Sample.records.message(.addresses)])
  }

  @Test("answers many questions by one packet, and not twice within a second")
  func rateLimit() {
    var responder = Sample.responder(now: now)
    for last in 2...200 { _ = ask(&responder, question, from: InternetAddress("10.77.0.\(last)")!) }
    #expect(responder.takeDue(now: now + .milliseconds(120)).count == 1)
    _ = ask(&responder, question, after: .milliseconds(121))
    #expect(responder.nextDue == now + .milliseconds(1120), "put off: the asker may have come after the last answer")
    #expect(responder.takeDue(now: now + .milliseconds(1119)).isEmpty)
    #expect(responder.takeDue(now: now + .milliseconds(1120)).count == 1)
  }

  @Test("answers no more than a few hundred one-shot questions in a second")
  func oneShotLimit() {
    var responder = Sample.responder(now: now)
    let answers = (0..<10_000).count { ask(&responder, question, port: 99, after: .microseconds($0 * 100)) != nil }
    #expect((250...350).contains(answers))
    #expect(ask(&responder, question, port: 99, after: .seconds(3)) != nil, "and is there again afterwards")
  }

  private func known(_ lifetime: UInt32) -> DNSRecord {
    DNSRecord(
      name: ServiceName.type, lifetime: lifetime, content: .pointer(ServiceName.instance(Sample.service.instance)))
  }

  @Test("does not tell what the asker knows, unless for less than half its time", arguments: [5353, 999] as [UInt16])
  func knownAnswers(port: UInt16) {
    var query = question
    var responder = Sample.responder(now: now)
    query.answers = [known(60)]
    #expect(ask(&responder, query, port: port) == nil && responder.nextDue == nil)
    query.answers = [known(59)]
    #expect(ask(&responder, query, port: port) != nil || responder.nextDue != nil)
  }

  @Test("waits for the rest of what the asker knows, when there is more")
  func furtherKnownAnswers() {
    var responder = Sample.responder(now: now)
    var query = question
    query.isTruncated = true
    _ = ask(&responder, query)
    #expect(responder.nextDue == now + .milliseconds(500))
    let rest = DNSMessage(answers: [known(100)])
    _ = ask(&responder, rest, from: InternetAddress("10.77.0.3")!)
    #expect(responder.nextDue != nil, "somebody else's knowledge is of no use to the asker")
    _ = ask(&responder, rest)
    #expect(responder.nextDue == nil)
  }

  @Test("keeps its answer for a second asker who knows less")
  func twoAskers() {
    var responder = Sample.responder(now: now)
    var query = question
    query.isTruncated = true
    _ = ask(&responder, query)
    _ = ask(&responder, question, from: InternetAddress("10.77.0.3")!)
    _ = ask(&responder, DNSMessage(answers: [known(100)]))
    #expect(responder.takeDue(now: now + .milliseconds(120)).count == 1)
  }

  @Test(
    "knows which names are its own",
    arguments: [
      ("_fabrik._tcp.local", DNSType.ptr, 1), ("_FABRIK._TCP.LOCAL", DNSType.any, 1), ("_fabrik._tcp.local", 33, 0),
      ("_services._dns-sd._udp.local", DNSType.ptr, 1), ("_http._tcp.local", DNSType.ptr, 0),
      ("0123456789abcdef._fabrik._tcp.local", DNSType.srv, 1), ("0123456789abcdef._fabrik._tcp.local", DNSType.txt, 1),
      ("0123456789abcdef._fabrik._tcp.local", DNSType.any, 2), ("1123456789abcdef._fabrik._tcp.local", DNSType.any, 0),
      ("fabrik-0123456789abcdef.local", DNSType.a, 2), ("fabrik-0123456789abcdef.local", DNSType.txt, 0),
      ("local", DNSType.any, 0),
    ] as [(String, UInt16, Int)])
  func names(name: String, type: UInt16, answers: Int) throws {
    let name = try #require(DNSName(labels: name.split(separator: ".").map { Array($0.utf8) }))
    var responder = Sample.responder(now: now)
    let answer = ask(&responder, DNSMessage(questions: [DNSQuestion(name: name, type: type)]), port: 99)
    #expect((answer?.message.answers.count ?? 0) == answers)
  }

  @Test("does not answer answers")
  func responses() {
    var responder = Sample.responder(now: now)
    var message = question
    message.isResponse = true
    #expect(ask(&responder, message) == nil && responder.nextDue == nil)
  }
}
