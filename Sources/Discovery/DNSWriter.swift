import SystemSupport

extension DNSMessage {
  /// The message as bytes, names written once. Records of a type that is not written here are left out.
  var encoded: [UInt8] {
    var writer = DNSWriter()
    writer.append(identifier)
    let kind = isResponse ? DNSFlags.response | DNSFlags.authoritative : 0
    writer.append(kind | (isTruncated ? DNSFlags.truncated : 0))
    let sections = [answers, authorities, additionals].map { $0.filter(\.isWritable) }
    writer.append(UInt16(questions.count))
    for section in sections { writer.append(UInt16(section.count)) }
    for question in questions {
      writer.append(question.name)
      writer.append(question.type)
      writer.append(DNSClass.internet)
    }
    for section in sections { section.forEach { writer.append($0) } }
    return writer.bytes
  }
}

extension DNSRecord {
  fileprivate var isWritable: Bool {
    if case .other = content { false } else { true }
  }

  fileprivate var type: UInt16 {
    switch content {
    case .address(let address): address.family == .ipv4 ? DNSType.a : DNSType.aaaa
    case .pointer: DNSType.ptr
    case .service: DNSType.srv
    case .text: DNSType.txt
    case .other(let type): type
    }
  }
}

private struct DNSWriter {
  private(set) var bytes: [UInt8] = []
  /// Where the ends of names stand already.
  private var places: [DNSName: Int] = [:]

  mutating func append(_ number: UInt16) {
    bytes.append(UInt8(number >> 8))
    bytes.append(UInt8(number & 0xff))
  }

  mutating func append(_ name: DNSName) {
    var rest = name.wire[...]
    while let length = rest.first, length > 0 {
      guard let end = DNSName(wire: Array(rest)) else { return }
      if let place = places[end] { return append(0xc000 | UInt16(place)) }
      // A pointer has 14 bits.
      if bytes.count < 0x4000 { places[end] = bytes.count }
      bytes += rest.prefix(1 + Int(length))
      rest = rest.dropFirst(1 + Int(length))
    }
    bytes.append(0)
  }

  mutating func append(_ record: DNSRecord) {
    append(record.name)
    append(record.type)
    append(DNSClass.internet | (record.flushes ? DNSClass.topBit : 0))
    append(UInt16(record.lifetime >> 16))
    append(UInt16(record.lifetime & 0xffff))
    let place = bytes.count
    append(UInt16(0))
    append(record.content)
    let count = bytes.count - place - 2
    bytes[place] = UInt8(count >> 8)
    bytes[place + 1] = UInt8(count & 0xff)
  }

  private mutating func append(_ content: DNSRecord.Content) {
    switch content {
    case .address(let address): bytes += address.bytes
    case .pointer(let name): append(name)
    case .service(let port, let host):
      append(UInt16(0))
      append(UInt16(0))
      append(port)
      // In full: RFC 6762 section 18.14 forbids pointers here towards old resolvers.
      bytes += host.wire
    case .text(let strings):
      // RFC 6763 section 6.1: an empty record holds one empty string.
      for string in strings.isEmpty ? [[]] : strings {
        bytes.append(UInt8(string.count))
        bytes += string
      }
    case .other: break
    }
  }
}
