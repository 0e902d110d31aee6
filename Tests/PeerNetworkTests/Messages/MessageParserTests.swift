import NIOCore
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A stream of messages")
struct MessageParserTests {
  /// What a parser makes of a stream that comes in pieces; pieces of one body are joined.
  private func events(_ pieces: [ArraySlice<UInt8>], largestBody: UInt64 = 1 << 20) -> [MessageParser.Event] {
    var parser = MessageParser(largestBody: largestBody)
    var result: [MessageParser.Event] = []
    for piece in pieces {
      var buffer = ByteBuffer(bytes: piece)
      parser.feed(&buffer)
      while let event = parser.next() {
        if case .body(var next) = event, case .body(var last)? = result.last {
          last.writeBuffer(&next)
          result[result.count - 1] = .body(last)
        } else {
          result.append(event)
        }
      }
    }
    return result
  }

  private func events(_ text: String, largestBody: UInt64 = 1 << 20) -> [MessageParser.Event] {
    events([Array(text.utf8)[...]], largestBody: largestBody)
  }

  private func head(_ startLine: String, _ fields: [String: String] = [:]) -> MessageParser.Event {
    .head(MessageHead(startLine: startLine, fields: fields))
  }

  @Test("is the same messages however it is cut")
  func cuts() {
    let text = """
      GET /v1/status HTTP/1.1\r\nHost: fabrik\r\n\r\n\
      HTTP/1.1 200 OK\r\ncontent-length: 12\r\nX-Thing:   spaces before, not after \r\n\r\nhello\r\n\r\nyou\
      HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n\
      HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc
      """
    let expected: [MessageParser.Event] = [
      head("GET /v1/status HTTP/1.1", ["host": "fabrik"]), .end,
      head("HTTP/1.1 200 OK", ["content-length": "12", "x-thing": "spaces before, not after "]),
      .body(ByteBuffer(string: "hello\r\n\r\nyou")), .end,
      head("HTTP/1.1 404 Not Found", ["content-length": "0"]), .end,
      head("HTTP/1.1 200 OK", ["content-length": "3"]), .body(ByteBuffer(string: "abc")), .end,
    ]
    let bytes = Array(text.utf8)
    #expect(events([bytes[...]]) == expected)
    #expect(events(bytes.indices.map { bytes[$0...$0] }) == expected)
    for cut in bytes.indices { #expect(events([bytes[..<cut], bytes[cut...]]) == expected, "cut at \(cut)") }
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<200 { #expect(events(generator.pieces(of: bytes, upTo: 100)) == expected) }
  }

  @Test("is what heads write")
  func roundTrip() throws {
    let heads = [
      MessageHead.request("/v1/entries/ccache/00ff", ["fabrik-nonce": "1", "fabrik-time": "2"]),
      .answer(.missing), .answer(.ok, length: 4, ["fabrik-digest": "x: y"]),
    ]
    for head in heads {
      var buffer = ByteBuffer()
      head.write(into: &buffer)
      #expect(events([Array(buffer.readableBytesView)[...]]).first == .head(head))
    }
    #expect(heads[0].target == "/v1/entries/ccache/00ff" && heads[0].status == nil)
    #expect(heads[1].status == 404 && heads[1].target == nil && heads[1].contentLength == 0)
    #expect(heads[2].status == 200 && heads[2].contentLength == 4)
  }

  @Test(
    "has no start line but a request's or an answer's",
    arguments: [
      "", "GET", "GET /v1/status", "GET  /v1/status HTTP/1.1", "GET /v1/status HTTP/1.1 ", "GET /v1/status HTTP/1.0",
      "get /v1/status HTTP/1.1", "POST /v1/status HTTP/1.1", "GET /v1/status HTTP/1.1 x", "HTTP/1.1", "HTTP/1.1 20 OK",
      "HTTP/1.1 2000 OK", "HTTP/1.1 2x0 OK", "HTTP/1.0 200 OK", "HTTP/2 200 OK",
    ])
  func startLines(line: String) {
    let head = MessageHead(startLine: line)
    #expect(head.target == nil && head.status == nil)
  }

  @Test("may have a head of 4096 bytes, and none of more", arguments: [1, 7, 4095, 10_000])
  func largestHead(pieceSize: Int) {
    func message(_ size: Int) -> [ArraySlice<UInt8>] {
      let frame = "GET / HTTP/1.1\r\na: \r\n\r\n"
      let text = "GET / HTTP/1.1\r\na: " + String(repeating: "x", count: size - frame.utf8.count) + "\r\n\r\n"
      let bytes = Array(text.utf8)
      #expect(bytes.count == size)
      return stride(from: 0, to: size, by: pieceSize).map { bytes[$0..<min($0 + pieceSize, size)] }
    }
    #expect(events(message(4096)).count == 2)
    #expect(events(message(4097)) == [.malformed])
  }

  @Test("may have heads of 32 fields, and none of more")
  func mostFields() {
    func message(_ count: Int) -> String {
      "GET / HTTP/1.1\r\n" + (0..<count).map { "f\($0): \($0)\r\n" }.joined() + "\r\n"
    }
    #expect(events(message(32)).count == 2)
    #expect(events(message(33)) == [.malformed])
  }

  @Test("is given up when a head does not end", arguments: [1, 1000, 100_000])
  func endless(pieceSize: Int) {
    var parser = MessageParser(largestBody: 0)
    var fed = 0
    while fed < 200_000 {
      var piece = ByteBuffer(repeating: UInt8(ascii: "a"), count: pieceSize)
      parser.feed(&piece)
      fed += pieceSize
      guard let event = parser.next() else { continue }
      #expect(event == .malformed)
      break
    }
    #expect(fed <= max(pieceSize, MessageParser.largestHead + pieceSize))
  }

  @Test("is not kept after it has been given up")
  func afterwards() {
    var parser = MessageParser(largestBody: 0)
    var bad = ByteBuffer(string: "\u{1}\r\n\r\n")
    parser.feed(&bad)
    #expect(parser.next() == .malformed)
    for _ in 0..<100 {
      var more = ByteBuffer(string: "GET /v1/status HTTP/1.1\r\n\r\n")
      parser.feed(&more)
      #expect(parser.next() == nil)
    }
    #expect(parser.waiting == 0)
  }

  @Test(
    "is given up when a head is not what it looks like",
    arguments: [
      "a: 1\r\na: 2", "a: 1\r\nA: 1", "no colon", ": no name", "a : space", "a\tb: tab", " folded: line",
      "a: 1\r\n folded", "a: \u{7f}", "a: \u{e9}", "a: \0", "a: 1\n b: 2", "a: 1\r\r\nb: 2", "a: 1\nb: 2", "a: 1\rb: 2",
    ])
  func fields(text: String) {
    #expect(events("GET / HTTP/1.1\r\n\(text)\r\n\r\n") == [.malformed])
  }

  @Test(
    "is given up when a body's length is not a plain number, or too large",
    arguments: [
      "", "-1", "-0", "+1", "1 ", "1,1", "0x1", "1e1", "abc", "1001", "18446744073709551615", "18446744073709551616",
      "99999999999999999999999999999999999",
    ])
  func lengths(text: String) {
    #expect(events("HTTP/1.1 200 OK\r\nContent-Length: \(text)\r\n\r\n", largestBody: 1000) == [.malformed])
  }

  @Test("is given up when a body is chunked, whatever else the head says")
  func chunked() {
    for more in ["", "content-length: 5\r\n"] {
      #expect(
        events("HTTP/1.1 200 OK\r\n\(more)Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") == [.malformed])
    }
  }

  @Test("may be anything: it is taken apart or given up, in bounded memory")
  func random() {
    var generator = SeededGenerator(seed: 2)
    let alphabet = Array("GET / HTTP/1.1\r\n\r\n: content-length: 5\r\n\r\n\r\n".utf8)
    for round in 0..<2000 {
      let count = Int.random(in: 0...6000, using: &generator)
      let bytes =
        round.isMultiple(of: 2)
        ? generator.bytes(count) : (0..<count).map { _ in alphabet.randomElement(using: &generator)! }
      check(bytes, &generator)
    }
  }

  @Test("may be a damaged one: it is taken apart or given up, in bounded memory")
  func mutated() {
    var generator = SeededGenerator(seed: 3)
    let sound = Array(
      "GET /v1/status HTTP/1.1\r\nhost: fabrik\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".utf8)
    for _ in 0..<3000 {
      var bytes = sound + sound
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: place)
        default: bytes.insert(bytes.randomElement(using: &generator)!, at: place)
        }
      }
      check(bytes, &generator)
    }
  }

  /// Feeds a stream in pieces: the events are those of the whole, and no more than a head is ever kept.
  private func check(_ bytes: [UInt8], _ generator: inout SeededGenerator) {
    let whole = events([bytes[...]], largestBody: 10_000)
    let pieces = generator.pieces(of: bytes, upTo: 3000)
    #expect(events(pieces, largestBody: 10_000) == whole)
    var parser = MessageParser(largestBody: 10_000)
    for piece in pieces {
      var buffer = ByteBuffer(bytes: piece)
      parser.feed(&buffer)
      while parser.next() != nil {}
      #expect(parser.waiting <= MessageParser.largestHead)
    }
  }
}
