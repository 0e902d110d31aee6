/// One DNS record as Avahi's `AddRecord` takes it: the name as text, the data in wire form.
struct AvahiRecord: Sendable, Equatable {
  let name: String
  let type: UInt16
  /// Whether nobody else can have a record of this name and type.
  let isUnique: Bool
  let data: [UInt8]

  /// All records of a service (RFC 6763): two pointers to find it by, its place and its text. nil when the host's name is
  /// none.
  static func all(of service: PublishedService, host: String) -> [AvahiRecord]? {
    guard let host = DNSName(escaped: host) else { return nil }
    let instance = ServiceName.instance(service.instance)
    let strings = ServiceText.strings(service.text)
    // No entry is written as an empty one.
    let text: [UInt8] = strings.isEmpty ? [0] : strings.flatMap { [UInt8($0.count)] + $0 }
    // Priority and weight are 0: there is no other server of this instance.
    let place: [UInt8] = [0, 0, 0, 0, UInt8(service.port >> 8), UInt8(service.port & 0xff)] + host.wire
    return [
      AvahiRecord(name: instance.escaped, type: DNSType.srv, isUnique: true, data: place),
      AvahiRecord(name: instance.escaped, type: DNSType.txt, isUnique: true, data: text),
      AvahiRecord(name: ServiceName.type.escaped, type: DNSType.ptr, isUnique: false, data: instance.wire),
      AvahiRecord(
        name: ServiceName.enumeration.escaped, type: DNSType.ptr, isUnique: false, data: ServiceName.type.wire),
    ]
  }
}
