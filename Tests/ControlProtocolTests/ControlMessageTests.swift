import ControlProtocol
import TestSupport
import Testing

@Suite("Messages on the control socket")
struct ControlMessageTests {
  private func decode(_ bytes: [UInt8]) -> ControlMessage? {
    ControlMessage(line: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes)
  }

  @Test(
    "come back as they were sent",
    arguments: [
      [:], ["pid": "42"], ["a": ""], ["": ""], ["path": "/a b/ü=%\n\0%41", "ü ": "="], ["x": "100%"], ["x": "\r\n"],
      ["漢": "👩‍👩‍👧‍👦", "e\u{301}": "\u{e9}"],
    ] as [[String: String]])
  func roundTrip(fields: [String: String]) {
    let message = ControlMessage("lease", fields)
    #expect(decode(message.encoded) == message)
    #expect(message.encoded.filter { $0 == UInt8(ascii: "\n") }.count == 1)
    #expect(message.encoded.last == UInt8(ascii: "\n"))
  }

  @Test("are text with sorted fields")
  func form() {
    let message = ControlMessage("lease", ["pid": "7", "id": "a/b:c._-Z", "x": "ä "])
    #expect(String(decoding: message.encoded, as: UTF8.self) == "lease id=a/b:c._-Z pid=7 x=%c3%a4%20\n")
    #expect(message["pid"] == "7")
    #expect(message["none"] == nil)
  }

  @Test(
    "are refused when malformed",
    arguments: [
      "", " ", "verb name", "verb a=1 b", "verb a=%", "verb a=%4", "verb a=%4g", "verb a=%FF", "verb %ff=1", "%ff",
    ])
  func malformed(line: String) {
    #expect(decode(Array(line.utf8)) == nil)
  }

  @Test("are refused when they are not UTF-8")
  func notUTF8() {
    #expect(decode(Array("verb a=".utf8) + [0xff]) == nil)
    #expect(decode([0xff]) == nil)
  }

  @Test("may have additional blanks between fields, and further equals signs in them")
  func lenient() {
    #expect(decode(Array("verb  a=1   b=x=y ".utf8)) == ControlMessage("verb", ["a": "1", "b": "x=y"]))
  }

  @Test("random lines never trap", arguments: 0..<50)
  func fuzz(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let alphabet = Array("ab %=/0f".utf8) + [0xc3, 0xa4, 0]
    for _ in 0..<200 {
      let line = (0..<Int.random(in: 0...30, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! }
      guard let message = decode(line) else { continue }
      if !message.verb.contains(where: { " %\0ä".contains($0) }) { #expect(decode(message.encoded) == message) }
    }
  }
}

@Suite("What a lease's statistics say")
struct LeaseStatisticsTests {
  @Test("comes back from its fields, through a message")
  func roundTrip() throws {
    var statistics = LeaseStatistics()
    statistics.lookups = 424
    statistics.hits = [.local: 380, .peers: 30, .regional: 2]
    statistics.bytes = [.local: 1 << 40, .s3: 1]
    statistics.stored = 12
    statistics.storedBytes = .max
    statistics.savedMilliseconds = 192_100
    statistics.waitedMilliseconds = 7
    statistics.prefetched = .init(entries: 31, bytes: 1 << 40, used: 30)
    statistics.tools = ["ccache": .init(lookups: 424, hits: 412), "swift-cas": .init()]
    statistics.peers = [
      "0123456789abcdef0123456789abcdef": .init(name: "a:b ü:", hits: 3, bytes: 1 << 40), "": .init(name: ""),
    ]
    let line = ControlMessage(ControlMessage.statistics, statistics.fields).encoded.dropLast()
    let message = try #require(ControlMessage(line: line))
    #expect(LeaseStatistics(fields: message.fields) == statistics)
    #expect(statistics.hitCount == 412)
    #expect(statistics.misses == 12)
    #expect(!statistics.isEmpty)
  }

  @Test("is zero where it is absent or malformed, and what is unknown is passed over")
  func malformed() {
    #expect(LeaseStatistics(fields: [:]) == LeaseStatistics())
    #expect(LeaseStatistics().isEmpty)
    let odd = LeaseStatistics(fields: [
      "lookups": "many", "stored": "99999999999999999999", "hits.local": "x", "hits.moon": "3", "tool.a": "1",
      "tool.b": "1:2:3", "tool.c": "x:2", "stored.bytes": "", "future": "1", "peer.a": "1", "peer.b": "x:1:n",
      "peer.c": "1:2:n", "prefetched": "1:2",
    ])
    #expect(odd.lookups == 0 && odd.stored == 0 && odd.storedBytes == 0)
    #expect(odd.hits == [.local: 0])
    #expect(odd.prefetched == .init())
    #expect(LeaseStatistics(fields: ["prefetched": "1:x:3"]).prefetched == .init(entries: 1, bytes: 0, used: 3))
    #expect(odd.peers == ["c": .init(name: "n", hits: 1, bytes: 2)])
    #expect(odd.tools == ["c": .init(lookups: 0, hits: 2)])
  }
}
