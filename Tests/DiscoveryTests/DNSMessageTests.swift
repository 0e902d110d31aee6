import SystemSupport
import TestSupport
import Testing

@testable import Discovery

@Suite("DNS messages")
struct DNSMessageTests {
  static let messages: [DNSMessage] = [
    DNSMessage(),
    DNSMessage(identifier: 7, questions: [DNSQuestion(name: ServiceName.type, type: DNSType.ptr)]),
    DNSMessage(
      isTruncated: true, questions: [DNSQuestion(name: "a.local", type: DNSType.any)],
      answers: [DNSRecord(name: ServiceName.type, lifetime: 61, content: .pointer("x._fabrik._tcp.local"))]),
    Sample.records.message([.enumeration, .pointer, .service, .text, .addresses]),
    Sample.records.message(.pointer, lifetime: 0),
    DNSMessage(
      isResponse: true, answers: [DNSRecord(name: "t.local", lifetime: .max >> 1, content: .text([[], [0, 255]]))],
      authorities: [DNSRecord(name: "t.local", flushes: true, lifetime: 1, content: .service(port: 9, host: "local"))]),
  ]

  @Test("read back as they were written", arguments: messages)
  func roundTrip(message: DNSMessage) {
    #expect(DNSMessage(packet: message.encoded) == message)
  }

  @Test("write each name once")
  func compression() throws {
    let packet = Sample.records.message(.pointer).encoded
    #expect(packet.occurrences(of: Array("_fabrik".utf8)) == 1)
    #expect(packet.occurrences(of: Array("0123456789abcdef".utf8)) <= 3, "the host's name is another")
    // RFC 6762 section 18.14.
    #expect(packet.occurrences(of: ServiceName.host("0123456789abcdef").wire) >= 1, "no pointers in SRV records")
  }

  @Test("fit into a packet that no network cuts in two")
  func size() {
    #expect(Sample.records.message([.enumeration, .pointer]).encoded.count < 512)
  }

  @Test("of other programs are understood", arguments: RecordedPacket.all)
  func recorded(packet: RecordedPacket) throws {
    let message = try #require(DNSMessage(packet: packet.bytes))
    #expect(message.isResponse == packet.isResponse)
    #expect(message.questions.map(\.name).contains(ServiceName.type) == packet.asksForServices)
    let contents = (message.answers + message.additionals).map(\.content)
    #expect(contents.contains(.service(port: 4711, host: "h3.local")) == packet.hasService)
  }

  @Test("cut short are nothing", arguments: messages)
  func truncated(message: DNSMessage) {
    let packet = message.encoded
    for count in packet.indices { #expect(DNSMessage(packet: Array(packet[..<count])) == nil) }
  }

  @Test("may be followed by other bytes")
  func trailing() {
    let message = Self.messages[1]
    #expect(DNSMessage(packet: message.encoded + [1, 2, 3]) == message)
  }

  @Test("longer than any are not looked at")
  func tooLong() {
    let packet = Self.messages[1].encoded
    #expect(DNSMessage(packet: packet + [UInt8](repeating: 0, count: 9000 - packet.count)) != nil)
    #expect(DNSMessage(packet: packet + [UInt8](repeating: 0, count: 9001 - packet.count)) == nil)
  }

  @Test("of unicast operations, and errors, are nothing", arguments: [0x0800, 0x4000, 0x7800, 1, 5, 15] as [UInt16])
  func otherKinds(flags: UInt16) {
    var packet = Self.messages[1].encoded
    packet[2] |= UInt8(flags >> 8)
    packet[3] |= UInt8(flags & 0xff)
    #expect(DNSMessage(packet: packet) == nil)
  }

  @Test("of other classes hold nothing of ours")
  func otherClass() throws {
    var packet = Self.messages[1].encoded
    packet[packet.count - 1] = 3
    #expect(try #require(DNSMessage(packet: packet)).questions.isEmpty)
    packet[packet.count - 2] = 0x80
    packet[packet.count - 1] = 1
    #expect(try #require(DNSMessage(packet: packet)).questions.count == 1, "the top bit is not part of the class")
  }

  @Test("with a lifetime of more than 31 bits: it is none")
  func longLifetime() throws {
    var message = Self.messages[2]
    message.answers[0].lifetime = 0x8000_0001
    #expect(try #require(DNSMessage(packet: message.encoded)).answers[0].lifetime == 0)
  }
}

@Suite("Names in DNS messages")
struct DNSNameTests {
  /// A question for a name that is written like this, at offset 12.
  private func question(_ name: [UInt8]) -> DNSMessage? {
    DNSMessage(packet: [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name + [0, 12, 0, 1])
  }

  @Test(
    "that lead nowhere are refused",
    arguments: [
      [0xc0, 12], [1, 97, 0xc0, 12], [1, 97, 0xc0, 14], [0xc0, 13], [0xc0, 255], [0xff, 255], [0xc0],
      [0x40, 1], [0x80, 1], [1], [5, 97, 97],
    ] as [[UInt8]])
  func malformed(name: [UInt8]) {
    #expect(question(name) == nil)
  }

  @Test("lead back any number of times")
  func chain() throws {
    // x at 12, then a pointer to each last one.
    var packet: [UInt8] = [0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 1, 120, 0, 0, 12, 0, 1]
    var last = 12
    for _ in 1..<100 {
      let place = packet.count
      packet += [1, 121, 0xc0 | UInt8(last >> 8), UInt8(last & 0xff), 0, 12, 0, 1]
      last = place
    }
    let message = try #require(DNSMessage(packet: packet))
    #expect(message.questions.last?.name.wire.count == 2 * 100 + 1)
  }

  @Test("have at most 255 bytes")
  func longest() {
    let label: [UInt8] = [63] + [UInt8](repeating: 97, count: 63)
    let rest = { (count: Int) in [UInt8(count)] + [UInt8](repeating: 98, count: count) }
    #expect(question(label + label + label + rest(61) + [0])?.questions.first?.name.wire.count == 255)
    #expect(question(label + label + label + rest(62) + [0]) == nil)
    #expect(question(label + label + label + label + [0]) == nil)
    #expect(DNSName(labels: [[UInt8](repeating: 97, count: 64)]) == nil)
    #expect(DNSName(labels: [[]]) == nil)
  }

  @Test("are the same in capitals, but for letters that are not ASCII")
  func capitals() {
    let name: DNSName = "Fabrik-A._TCP.local"
    #expect(name == "fabrik-a._tcp.LOCAL")
    #expect(name.hashValue == ("fabrik-a._tcp.LOCAL" as DNSName).hashValue)
    #expect(DNSName(labels: [Array("ä".utf8)]) != DNSName(labels: [Array("Ä".utf8)]))
    #expect(DNSName(labels: [[0x40]]) != DNSName(labels: [[0x60]]), "@ and ` are no letters")
  }

  @Test("stand below others by one label")
  func parents() throws {
    let instance = try #require(ServiceName.type.prefixed(by: Array("Jane's Mac.local".utf8)))
    #expect(instance.label(under: ServiceName.type).map { String(decoding: $0, as: UTF8.self) } == "Jane's Mac.local")
    #expect(instance.label(under: "_FABRIK._tcp.local") != nil)
    #expect(instance.label(under: "_tcp.local") == nil)
    #expect(ServiceName.type.label(under: ServiceName.type) == nil)
    #expect(("local" as DNSName).label(under: ServiceName.type) == nil)
  }
}

extension [UInt8] {
  fileprivate func occurrences(of other: [UInt8]) -> Int {
    indices.count { self[$0...].starts(with: other) }
  }
}
