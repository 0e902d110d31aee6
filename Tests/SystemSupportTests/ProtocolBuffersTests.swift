import SystemSupport
import TestSupport
import Testing

@Suite("Protocol Buffers' wire format")
struct ProtocolBuffersTests {
  @Test("what is written can be read", arguments: [0, 1, 127, 128, 300, 1 << 32, .max] as [UInt64])
  func roundTrip(number: UInt64) throws {
    let message = ProtocolBuffers.field(3, number) + ProtocolBuffers.field(4, [1, 2, 3]) + ProtocolBuffers.field(3, 7)
    let fields = try #require(ProtocolBuffers.fields(of: message[...]))
    #expect(fields.map(\.number) == [3, 4, 3])
    #expect(fields[0].value == .number(number))
    #expect(fields.one(3) == .number(7), "of a field that occurs twice, the last counts")
    #expect(fields.all(4) == [[1, 2, 3]])
    #expect(fields.all(3) == nil, "a number is no message")
    #expect(fields.one(5) == nil && fields.all(5)?.isEmpty == true)
  }

  @Test("reads the example of the documentation: field 1 is 150")
  func published() {
    #expect(ProtocolBuffers.fields(of: [0x08, 0x96, 0x01])?.one(1) == .number(150))
    #expect(ProtocolBuffers.field(1, 150) == [0x08, 0x96, 0x01])
    #expect(ProtocolBuffers.field(2, Array("testing".utf8)) == [0x12, 0x07] + Array("testing".utf8))
  }

  @Test("fields of fixed width are passed over")
  func fixedWidth() {
    let message: [UInt8] = [0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 1, 2, 3, 4, 0x10, 5]
    let fields = ProtocolBuffers.fields(of: message[...])
    #expect(fields?.count == 1 && fields?.one(2) == .number(5))
  }

  @Test(
    "what is malformed is nothing",
    arguments: [
      [0x08], [0x08, 0x80], [0x12, 0x05, 1], [0x09, 1], [0x0d, 1, 2, 3], [0x0b], [0x0c], [0x0e], [0x0f], [0x00, 0x01],
      [0x12] + [UInt8](repeating: 0xff, count: 9) + [0x01], [0x08] + [UInt8](repeating: 0x80, count: 10) + [0x01],
    ] as [[UInt8]])
  func malformed(message: [UInt8]) {
    #expect(ProtocolBuffers.fields(of: message[...]) == nil)
  }

  @Test("any bytes are read to their end, or refused", arguments: 0..<20)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let message = generator.bytes(Int.random(in: 0...40, using: &generator))
      let contents = ProtocolBuffers.fields(of: message[...])?.compactMap { field in
        if case .bytes(let bytes) = field.value { bytes.count } else { nil }
      }
      #expect((contents ?? []).reduce(0, +) <= message.count)
    }
  }
}
