import SystemSupport

extension DNSMessage {
  /// Longest message there is: RFC 6762 section 17.
  static let longest = 9000

  /// nil when the packet is not a well-formed message of multicast DNS. Never traps, whatever the bytes; takes time and
  /// memory in proportion to their number.
  init?(packet: [UInt8]) {
    guard packet.count <= Self.longest else { return nil }
    var reader = DNSReader(bytes: packet)
    guard let identifier = reader.number(), let flags = reader.number(), flags & DNSFlags.operationAndError == 0,
      let questionCount = reader.number(), let answerCount = reader.number(), let authorityCount = reader.number(),
      let additionalCount = reader.number()
    else { return nil }
    self.identifier = identifier
    isResponse = flags & DNSFlags.response != 0
    isTruncated = flags & DNSFlags.truncated != 0
    for _ in 0..<questionCount {
      guard let name = reader.name(), let type = reader.number(), let classNumber = reader.number() else { return nil }
      let asked = classNumber & ~DNSClass.topBit
      if asked == DNSClass.internet || asked == DNSClass.any { questions.append(DNSQuestion(name: name, type: type)) }
    }
    guard reader.records(answerCount, into: &answers), reader.records(authorityCount, into: &authorities),
      reader.records(additionalCount, into: &additionals)
    else { return nil }
  }
}

/// Reads the parts of a message in their order. Each call returns nil when the bytes do not hold such a part.
private struct DNSReader {
  private let bytes: [UInt8]
  private var offset = 0

  init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  mutating func number() -> UInt16? {
    guard bytes.count - offset >= 2 else { return nil }
    defer { offset += 2 }
    return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard bytes.count - offset >= count else { return nil }
    defer { offset += count }
    return bytes[offset..<offset + count]
  }

  /// A name has no more labels, and a pointer stands behind one; more are there to cost time.
  private static let mostPointers = 127

  /// A name, whose end may be written elsewhere: a pointer leads to where it stands. Each must lead further back than
  /// the labels it follows, so none leads in a circle.
  mutating func name() -> DNSName? {
    var wire: [UInt8] = []
    var pointers = 0
    var place = offset
    var start = offset
    var end: Int?
    while place < bytes.count {
      let length = Int(bytes[place])
      switch length {
      case 0:
        offset = end ?? place + 1
        return DNSName(wire: wire + [0])
      case 1...DNSName.longestLabel:
        guard bytes.count - place > length, wire.count + length < DNSName.longest else { return nil }
        wire += bytes[place...place + length]
        place += 1 + length
      case 0xc0...:
        guard bytes.count - place >= 2 else { return nil }
        let target = (length & 0x3f) << 8 | Int(bytes[place + 1])
        pointers += 1
        guard target < start, pointers <= Self.mostPointers else { return nil }
        end = end ?? place + 2
        place = target
        start = target
      default: return nil
      }
    }
    return nil
  }

  /// False when one is malformed.
  mutating func records(_ count: UInt16, into records: inout [DNSRecord]) -> Bool {
    for _ in 0..<count {
      guard let record = record() else { return false }
      records.append(record)
    }
    return true
  }

  private mutating func record() -> DNSRecord? {
    guard let name = name(), let type = number(), let classNumber = number(), let high = number(), let low = number(),
      let count = number(), bytes.count - offset >= Int(count)
    else { return nil }
    let end = offset + Int(count)
    let isInternet = classNumber & ~DNSClass.topBit == DNSClass.internet
    let content = isInternet ? content(type, end: end) : take(Int(count)).map { _ in .other(type: type) }
    guard let content, offset == end else { return nil }
    // RFC 2181 section 8: a lifetime with its first bit set is none.
    let lifetime = high < 0x8000 ? UInt32(high) << 16 | UInt32(low) : 0
    return DNSRecord(name: name, flushes: classNumber & DNSClass.topBit != 0, lifetime: lifetime, content: content)
  }

  private mutating func content(_ type: UInt16, end: Int) -> DNSRecord.Content? {
    switch type {
    case DNSType.a, DNSType.aaaa:
      guard end - offset == (type == DNSType.a ? 4 : 16), let bytes = take(end - offset) else { return nil }
      return InternetAddress(bytes: bytes).map { .address($0) }
    case DNSType.ptr:
      return name().map { .pointer($0) }
    case DNSType.srv:
      // Priority and weight are of no use to whoever tries all.
      guard number() != nil, number() != nil, let port = number(), let host = name() else { return nil }
      return .service(port: port, host: host)
    case DNSType.txt:
      var strings: [[UInt8]] = []
      while offset < end {
        guard let count = take(1)?.first, end - offset >= Int(count), let string = take(Int(count)) else { return nil }
        strings.append(Array(string))
      }
      return .text(strings)
    default:
      return take(end - offset).map { _ in .other(type: type) }
    }
  }
}
