/// Protocol Buffers' wire format, as far as it can be read without a schema.
///
/// Source: "Encoding", in the documentation of Protocol Buffers. Groups, which nothing uses any more, are malformed here.
package enum ProtocolBuffers {
  package enum Value: Sendable, Equatable {
    case number(UInt64)
    /// A text, a message, or bytes.
    case bytes(ArraySlice<UInt8>)
  }

  package struct Field: Sendable, Equatable {
    package let number: UInt64
    package let value: Value
  }

  // MARK: - Writing

  package static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  package static func field(_ number: UInt64, _ value: UInt64) -> [UInt8] {
    varint(number << 3) + varint(value)
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  // MARK: - Reading

  /// The fields of a message in their order, but for those of fixed width. nil when it is malformed. Takes memory in
  /// proportion to the message.
  package static func fields(of message: ArraySlice<UInt8>) -> [Field]? {
    var rest = message
    var fields: [Field] = []
    while !rest.isEmpty {
      guard let tag = takeVarint(&rest), tag >> 3 > 0 else { return nil }
      switch tag & 7 {
      case 0:
        guard let number = takeVarint(&rest) else { return nil }
        fields.append(Field(number: tag >> 3, value: .number(number)))
      case 2:
        guard let count = takeVarint(&rest), count <= rest.count else { return nil }
        fields.append(Field(number: tag >> 3, value: .bytes(rest.prefix(Int(count)))))
        rest = rest.dropFirst(Int(count))
      case 1, 5:
        let count = tag & 7 == 1 ? 8 : 4
        guard rest.count >= count else { return nil }
        rest = rest.dropFirst(count)
      default: return nil
      }
    }
    return fields
  }

  private static func takeVarint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, through: 63, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }
}

extension [ProtocolBuffers.Field] {
  /// The value of a field that occurs once; of one that occurs again, the last.
  package func one(_ number: UInt64) -> ProtocolBuffers.Value? { last { $0.number == number }?.value }

  /// The values of a field that may be repeated. nil when one is no bytes.
  package func all(_ number: UInt64) -> [ArraySlice<UInt8>]? {
    var values: [ArraySlice<UInt8>] = []
    for field in self where field.number == number {
      guard case .bytes(let bytes) = field.value else { return nil }
      values.append(bytes)
    }
    return values
  }
}
