import Testing

@testable import Discovery

@Suite("DNS messages")
struct DNSMessageTests {
  @Test("of questions read back")
  func question() {
    let message = DNSMessage(identifier: 7, questions: [DNSQuestion(name: ServiceName.type, type: DNSType.ptr)])
    #expect(DNSMessage(packet: message.encoded) == message)
  }
}
