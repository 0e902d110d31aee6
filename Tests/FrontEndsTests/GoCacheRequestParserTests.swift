import FrontEnds
import TestSupport
import Testing

/// Feeds a parser with pieces, as a pipe would, keeps what it has not consumed, and puts bodies together.
private struct Driver {
  var requests: [GoCacheRequestParser.Event] = []
  var bodies: [[UInt8]] = []
  var left: [UInt8] = []
  /// The most bytes that were ever kept.
  var mostKept = 0
  private var parser = GoCacheRequestParser()

  mutating func feed(_ bytes: some Sequence<UInt8>) {
    left += bytes
    while let (consumed, event) = left.withUnsafeBytes({ parser.next($0) }) {
      left.removeFirst(consumed)
      switch event {
      case .body(let bytes): bodies[bodies.count - 1] += bytes
      case .putStart:
        bodies.append([])
        requests.append(event)
      default: requests.append(event)
      }
    }
    mostKept = max(mostKept, left.count)
  }
}

@Suite("Go's cache protocol: requests")
struct GoCacheRequestParserTests {
  private static let action = [UInt8](0..<32)
  private static let output = [UInt8](100..<132)

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }

  private static func get(_ id: Int64) -> String {
    "{\"ID\":\(id),\"Command\":\"get\",\"ActionID\":\"\(text(action))\"}\n\n"
  }

  private static func put(_ id: Int64, _ body: [UInt8], size: Int? = nil) -> String {
    let head = "{\"ID\":\(id),\"Command\":\"put\",\"ActionID\":\"\(text(action))\",\"OutputID\":\"\(text(output))\""
    guard !body.isEmpty else { return head + "}\n\n" }
    return head + ",\"BodySize\":\(size ?? body.count)}\n\n\"\(text(body))\"\n"
  }

  private static func requests(of text: String) -> [GoCacheRequestParser.Event] {
    var driver = Driver()
    driver.feed(text.utf8)
    return driver.requests
  }

  @Test("requests are understood as Go writes them, however they are cut", arguments: 0..<40)
  func pieces(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let bodies = [1, 2, 3, 4, 5, 100, 70_000, 0].map { generator.bytes($0) }
    var text = Self.get(1)
    for (index, body) in bodies.enumerated() { text += Self.put(Int64(index) + 2, body) + Self.get(100) }
    text += "{\"ID\":2259,\"Command\":\"close\"}\n\n"
    var expected: [GoCacheRequestParser.Event] = [.get(id: 1, action: Self.action)]
    for (index, body) in bodies.enumerated() {
      expected += [
        .putStart(id: Int64(index) + 2, action: Self.action, output: Self.output, size: UInt64(body.count)),
        .putEnd(isWhole: true), .get(id: 100, action: Self.action),
      ]
    }
    expected.append(.close(id: 2259))
    var driver = Driver()
    for piece in generator.pieces(of: Array(text.utf8), upTo: seed == 0 ? 1 : 5000) { driver.feed(piece) }
    #expect(driver.requests == expected)
    #expect(driver.bodies == bodies)
    #expect(driver.mostKept < 600, "a body is not kept until it is whole")
  }

  @Test("the order of fields, blanks and fields that are not known do not matter")
  func otherwiseWritten() {
    let text = """
       {"New":[{"a":"}\\"]"},1],"ActionID" : "\(Self.text(Self.action))", "Command":"get","More":null,"ID": 7 }\r

      """
    #expect(Self.requests(of: text) == [.get(id: 7, action: Self.action)])
  }

  @Test("a request that is not understood is reported with its number")
  func unknown() {
    let texts = [
      "{\"ID\":5,\"Command\":\"get2\"}", "{\"ID\":5}", "{\"ID\":5,\"Command\":\"get\",\"ActionID\":\"AAAA\"}",
      "{\"ID\":5,\"Command\":\"put\",\"ActionID\":\"\(Self.text(Self.action))\"}",
    ]
    for text in texts { #expect(Self.requests(of: text + "\n" + Self.get(6)).first == .unknown(id: 5), "\(text)") }
  }

  @Test(
    "what is no request is reported, and the next line understood",
    arguments: [
      "nonsense", "{", "{}", "[1]", "{\"ID\":\"5\"}", "{\"ID\":5,}", "{\"ID\":5 \"Command\":\"get\"}", "{\"ID\":}",
      "{\"ID\":99999999999999999999}", "{\"ID\":5,\"BodySize\":-1}", "{\"Command\":\"get\"}", "{\"ID\":5,\"x\":\"",
      "{\"ID\":5,\"x\":[", "\"\\",
    ])
  func malformed(text: String) {
    #expect(Self.requests(of: text + "\n" + Self.get(6)) == [.malformed, .get(id: 6, action: Self.action)])
  }

  @Test("a line without an end is not kept")
  func endless() {
    var driver = Driver()
    for _ in 0..<100 { driver.feed([UInt8](repeating: UInt8(ascii: "x"), count: 10_000)) }
    #expect(driver.mostKept < 100_000)
    driver.feed("\n\(Self.get(6))".utf8)
    #expect(driver.requests.last == .get(id: 6, action: Self.action))
  }

  @Test("a body that is not what was announced is reported as such, and what follows is understood")
  func wrongBodies() {
    let good = Self.text([1, 2, 3])
    let head = Self.put(1, [1, 2, 3]).split(separator: "\n")[0] + "\n"
    let bodies = ["\"\(good)AAAA\"", "\"\"", "\"!!!!\"", "\"\(good.dropLast())\"", "\"AA\\u0041AA\"", ""]
    for body in bodies {
      let requests = Self.requests(of: "\(head)\(body)\n\(Self.get(6))")
      #expect(requests.dropFirst() == [.putEnd(isWhole: false), .get(id: 6, action: Self.action)], "\(body)")
    }
  }
}
