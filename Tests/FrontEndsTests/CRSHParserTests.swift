import FrontEnds
import TestSupport
import Testing

@Suite("ccache's storage helper protocol")
struct CRSHParserTests {
  private static let key: [UInt8] = Array(1...20)

  static let requests: [Request] = [
    .get(key), .get([]), .get([UInt8](repeating: 0, count: 255)), .exists(key), .exists([7]), .remove(key), .info,
    .stop, .put(key, overwrite: true, []), .put(key, overwrite: false, [9]), .put([], overwrite: true, [0, 1, 2]),
    .put(key, overwrite: true, [UInt8](repeating: 0, count: 300)),
  ]

  @Test("each request is understood whole, byte by byte, and cut in two at any place", arguments: requests)
  func split(request: Request) {
    let bytes = request.encoded
    for cut in 0...bytes.count {
      var driver = CRSHDriver()
      driver.feed(bytes[..<cut])
      if cut < bytes.count { #expect(driver.requests.isEmpty, "a request was reported before it was complete") }
      driver.feed(bytes[cut...])
      #expect(driver.requests == [request])
      #expect(driver.left.isEmpty && driver.isWithinContract)
    }
    var driver = CRSHDriver()
    for byte in bytes { driver.feed(CollectionOfOne(byte)) }
    #expect(driver.requests == [request])
  }

  @Test("requests that follow each other are told apart, however they are cut", arguments: 0..<30)
  func sequences(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let sequence = (0..<20).map { _ in Self.requests.randomElement(using: &generator)! }
    var driver = CRSHDriver()
    for piece in generator.pieces(of: sequence.flatMap(\.encoded), upTo: 500) { driver.feed(piece) }
    #expect(driver.requests == sequence)
    #expect(driver.left.isEmpty && driver.isWithinContract)
  }

  @Test("only the lowest bit of a put's flags means overwrite", arguments: [0, 1, 2, 254, 255] as [UInt8])
  func flags(flags: UInt8) {
    var driver = CRSHDriver()
    driver.feed([0x01, 1, 42, flags, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(driver.requests == [.put([42], overwrite: flags % 2 == 1, [])])
  }

  @Test("a value's size may be the largest there is; nothing is set aside for it")
  func hugeValue() {
    var parser = CRSHParser()
    let head: [UInt8] = [0x01, 1, 42, 1] + [UInt8](repeating: 255, count: 8)
    let start = head.withUnsafeBytes { parser.next($0) }
    #expect(start?.consumed == head.count)
    #expect(start?.event == .putStart(key: [42], overwrite: true, size: .max))
    let body = [UInt8](repeating: 0, count: 1000).withUnsafeBytes { parser.next($0) }
    #expect(body?.event == .body(count: 1000))
  }

  @Test("an unknown request ends the conversation", arguments: 6...255)
  func unknown(opcode: Int) {
    var driver = CRSHDriver()
    driver.feed(Request.info.encoded + [UInt8(opcode)] + Request.get([1]).encoded)
    driver.feed(Request.info.encoded)
    #expect(driver.requests == [.info, .malformed])
  }

  @Test("random bytes neither trap nor make the parser take more than it was given", arguments: 0..<200)
  func fuzz(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      var bytes = generator.bytes(Int.random(in: 0...400, using: &generator))
      // Small numbers are opcodes and short lengths, which lead further into the grammar.
      for index in bytes.indices where Bool.random(using: &generator) { bytes[index] %= 6 }
      var pieces = CRSHDriver()
      for piece in generator.pieces(of: bytes, upTo: 50) { pieces.feed(piece) }
      var whole = CRSHDriver()
      whole.feed(bytes)
      #expect(pieces.isWithinContract && whole.isWithinContract)
      #expect(pieces.requests == whole.requests, "how bytes are cut changed what they mean")
    }
  }
}

@Suite("Answers of the storage helper protocol")
struct CRSHResponseTests {
  @Test("are these bytes")
  func bytes() {
    #expect(CRSHParser.greeting == [1, 3, 0, 1, 2])
    #expect(CRSHResponse.ok == [0])
    #expect(CRSHResponse.nothing == [1])
    #expect(CRSHResponse.exists(true) == [0, 1])
    #expect(CRSHResponse.exists(false) == [0, 0])
    #expect(CRSHResponse.valueHead(size: 0x0102) == [0] + withUnsafeBytes(of: UInt64(0x0102), Array.init))
    #expect(CRSHResponse.info(identity: "ab", diagnostics: []) == [2, 97, 98, 0])
    #expect(CRSHResponse.info(identity: "", diagnostics: ["x", "yz"]) == [0, 2, 1, 120, 2, 121, 122])
  }

  @Test("long texts are cut to what their length byte can say")
  func longTexts() {
    let bytes = CRSHResponse.info(
      identity: String(repeating: "i", count: 1000),
      diagnostics: [String](repeating: String(repeating: "d", count: 256), count: 300))
    #expect(bytes[0] == 255)
    #expect(bytes[256] == 255)
    #expect(bytes.count == 256 + 1 + 255 * 256)
  }
}
