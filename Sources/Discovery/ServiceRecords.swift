import SystemSupport

/// The records of a published service on one link.
struct ServiceRecords {
  /// What of it a question asks for.
  struct Parts: OptionSet, Hashable {
    let rawValue: UInt8

    static let enumeration = Parts(rawValue: 1)
    static let pointer = Parts(rawValue: 2)
    static let service = Parts(rawValue: 4)
    static let text = Parts(rawValue: 8)
    static let addresses = Parts(rawValue: 16)

    /// Records of these names others have too.
    static let shared: Parts = [.enumeration, .pointer]
  }

  /// Seconds. Processes that die without a goodbye are forgotten after this time, so it is as short as the host records
  /// of RFC 6762 (section 10) even for the pointer, whose instance is no older than a build.
  static let lifetime: UInt32 = 120
  /// RFC 6762 section 6.7: what an old resolver may keep.
  static let oneShotLifetime: UInt32 = 10
  /// Questions repeated in an answer; nobody sensible asks more at once.
  private static let mostEchoes = 4

  let service: PublishedService
  let addresses: [InternetAddress]
  private let instance: DNSName
  private let host: DNSName

  init(service: PublishedService, addresses: [InternetAddress]) {
    self.service = service
    self.addresses = addresses
    instance = ServiceName.instance(service.instance)
    host = ServiceName.host(service.instance)
  }

  func parts(for question: DNSQuestion) -> Parts {
    var parts: Parts = []
    switch question.name {
    case ServiceName.type: if question.asks(for: DNSType.ptr) { parts = .pointer }
    case ServiceName.enumeration: if question.asks(for: DNSType.ptr) { parts = .enumeration }
    case instance:
      if question.asks(for: DNSType.srv) { parts.insert(.service) }
      if question.asks(for: DNSType.txt) { parts.insert(.text) }
    case host:
      if addresses.contains(where: { question.asks(for: $0.family == .ipv4 ? DNSType.a : DNSType.aaaa) }) {
        parts = .addresses
      }
    default: break
    }
    return parts
  }

  /// What the asker knows for long enough not to need it again: RFC 6762 section 7.1.
  func known(in records: [DNSRecord]) -> Parts {
    var parts: Parts = []
    for record in records where record.lifetime >= Self.lifetime / 2 {
      guard case .pointer(let target) = record.content else { continue }
      if record.name == ServiceName.type, target == instance { parts.insert(.pointer) }
      if record.name == ServiceName.enumeration, target == ServiceName.type { parts.insert(.enumeration) }
    }
    return parts
  }

  /// A multicast answer with these parts, and the others that whoever asks for them will want next.
  func message(_ parts: Parts, lifetime: UInt32 = lifetime) -> DNSMessage {
    var extra: Parts = []
    if parts.contains(.pointer) { extra.formUnion([.service, .text, .addresses]) }
    if parts.contains(.service) { extra.insert(.addresses) }
    return DNSMessage(
      isResponse: true, answers: records(parts, lifetime), additionals: records(extra.subtracting(parts), lifetime))
  }

  /// An answer to one who does not take part in multicast DNS: RFC 6762 section 6.7.
  func oneShotMessage(_ parts: Parts, to query: DNSMessage) -> DNSMessage {
    var message = message(parts, lifetime: Self.oneShotLifetime)
    message.identifier = query.identifier
    message.questions = Array(query.questions.lazy.filter { !self.parts(for: $0).isEmpty }.prefix(Self.mostEchoes))
    for index in message.answers.indices { message.answers[index].flushes = false }
    for index in message.additionals.indices { message.additionals[index].flushes = false }
    return message
  }

  private func records(_ parts: Parts, _ lifetime: UInt32) -> [DNSRecord] {
    var records: [DNSRecord] = []
    func add(_ name: DNSName, _ content: DNSRecord.Content, flushes: Bool) {
      records.append(DNSRecord(name: name, flushes: flushes, lifetime: lifetime, content: content))
    }
    if parts.contains(.enumeration) { add(ServiceName.enumeration, .pointer(ServiceName.type), flushes: false) }
    if parts.contains(.pointer) { add(ServiceName.type, .pointer(instance), flushes: false) }
    if parts.contains(.service) { add(instance, .service(port: service.port, host: host), flushes: true) }
    if parts.contains(.text) { add(instance, .text(ServiceText.strings(service.text)), flushes: true) }
    if parts.contains(.addresses) { for address in addresses { add(host, .address(address), flushes: true) } }
    return records
  }
}
