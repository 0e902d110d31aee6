import SystemSupport
import Testing

/// What avahi-daemon 0.8 sends for a service `testservice` at port 4711 of the host h3 (10.77.0.3).
struct RecordedPacket: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let bytes: [UInt8]
  let isResponse: Bool
  let asksForServices: Bool
  let hasService: Bool

  private init(_ description: String, isResponse: Bool, asks: Bool, hasService: Bool, _ hex: String) {
    testDescription = description
    bytes = Hex.decode(Array(hex.utf8.filter { $0 != UInt8(ascii: "\n") }))!
    self.isResponse = isResponse
    asksForServices = asks
    self.hasService = hasService
  }

  static let all = [probe, announcement, oneShotAnswer, question, goodbye]

  static let probe = RecordedPacket(
    "a probe before publishing", isResponse: false, asks: false, hasService: false,
    """
    0000000000010000000200000b7465737473657276696365075f66616272696b045f746370056c6f63616c0000ff0001c00c002100010000
    0078000b000000001267026833c025c00c0010000100001194001003763d31067465616d3d740469643d78
    """)

  static let announcement = RecordedPacket(
    "an announcement", isResponse: true, asks: false, hasService: true,
    """
    0000840000000006000000000b7465737473657276696365075f66616272696b045f746370056c6f63616c00001080010000119400100376
    3d31067465616d3d740469643d78c018000c0001000011940002c00cc00c0021800100000078000b000000001267026833c025c066001c80
    01000000780010fe8000000000000000fab0fffe000003c066000180010000007800040a4d0003095f7365727669636573075f646e732d73
    64045f756470c025000c0001000011940002c018
    """)

  static let oneShotAnswer = RecordedPacket(
    "an answer to a one-shot question", isResponse: true, asks: true, hasService: true,
    """
    67b584000001000500000000075f66616272696b045f746370056c6f63616c00000c0001c00c000c00010000000a000e0b74657374736572
    76696365c00cc030001000010000000a001003763d31067465616d3d740469643d78c030002100010000000a000b000000001267026833c0
    19c06c001c00010000000a0010fe8000000000000000fab0fffe000003c06c000100010000000a00040a4d0003
    """)

  static let question = RecordedPacket(
    "a question with a known answer", isResponse: false, asks: true, hasService: false,
    """
    000000000001000100000000075f66616272696b045f746370056c6f63616c00000c0001c00c000c000100001194000e0b74657374736572
    76696365c00c
    """)

  static let goodbye = RecordedPacket(
    "a goodbye", isResponse: true, asks: false, hasService: true,
    """
    000084000000000600000000095f7365727669636573075f646e732d7364045f756470056c6f63616c00000c000100000000000f075f6661
    6272696b045f746370c023c034000c000100000000000e0b7465737473657276696365c034c04f0021800100000000000b00000000126702
    6833c023c06f001c8001000000780010fe8000000000000000fab0fffe000003c06f000180010000007800040a4d0003c04f001080010000
    0000001003763d31067465616d3d740469643d78
    """)
}
