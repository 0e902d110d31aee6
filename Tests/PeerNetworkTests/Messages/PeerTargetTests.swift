import CacheStore
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("What a peer can ask for")
struct PeerTargetTests {
  private static let longest = String(repeating: "ab", count: 128)

  @Test(
    "is written and read again",
    arguments: [
      "/v1/status", "/v1/summary", "/v1/summary?since=1-0", "/v1/summary?since=4294967295-18446744073709551615",
      "/v1/entries/ccache/00", "/v1/entries/swift-cas/00ff10", "/v1/entries/a/" + longest,
    ])
  func roundTrip(text: String) throws {
    let target = try #require(PeerTarget(text))
    #expect(target.text == text)
  }

  @Test("can be any key")
  func keys() throws {
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<500 {
      let bytes = generator.bytes(Int.random(in: 1...128, using: &generator))
      let key = try #require(CacheKey(namespace: "bazel-ac", bytes: bytes))
      #expect(PeerTarget(PeerTarget.entry(key).text) == .entry(key))
    }
  }

  @Test(
    "is nothing else",
    arguments: [
      "", "/", "//", "/v1", "/v1/", "v1/status", "/v2/status", "/V1/status", "//v1/status", "/v1//status",
      "/v1/status/",
      "/v1/status?", "/v1/status?x", "/v1/Status", "/v1/%73tatus", "/v1/status ", " /v1/status", "/v1/status\0",
      "/v1/status#x", "http://fabrik/v1/status", "*", "/v1/summary/", "/v1/summary?", "/v1/summary?since=",
      "/v1/summary?since=1", "/v1/summary?since=1-", "/v1/summary?since=-1", "/v1/summary?since=-1-1",
      "/v1/summary?since=1-2-3", "/v1/summary?since=+1-2", "/v1/summary?since=1-+2", "/v1/summary?since=01-2",
      "/v1/summary?since=1-00", "/v1/summary?since=4294967296-1", "/v1/summary?since=1-18446744073709551616",
      "/v1/summary?since=1-2&since=1-2", "/v1/summary?Since=1-2", "/v1/summary?since=1-2/",
      "/v1/entries", "/v1/entries/", "/v1/entries/ccache", "/v1/entries/ccache/", "/v1/entries//00",
      "/v1/entries/ccache//00", "/v1/entries/ccache/00/", "/v1/entries/ccache/00/00", "/v1/entries/../00",
      "/v1/entries/ccache/..", "/v1/entries/ccache/../../etc/passwd", "/v1/entries/%2e%2e/00",
      "/v1/entries/ccache/%2e%2e", "/v1/entries/ccache/%30%30", "/v1/entries/ccache/0", "/v1/entries/ccache/000",
      "/v1/entries/ccache/0g", "/v1/entries/ccache/AB", "/v1/entries/ccache/aB", "/v1/entries/ccache/00?",
      "/v1/entries/ccache/00\0", "/v1/entries/ccache\0/00", "/v1/entries/Ccache/00", "/v1/entries/c cache/00",
      "/v1/entries/c.cache/00", "/v1/entries/c_cache/00", "/v1/entries/\u{e9}/00",
      "/v1/entries/ccache/\u{ff11}\u{ff11}",
      "/v1/entries/ccache/" + longest + "00", "/v1/entries/abcdefghijklmnopqrstuvwxyz0123456/00",
      "/v1/entries/ccache/-1", "/v1/entries/ccache/+1", "\\v1\\status", "/v1\\status",
    ])
  func others(text: String) {
    #expect(PeerTarget(text) == nil)
  }

  @Test("is only read as what it would be written as")
  func random() {
    var generator = SeededGenerator(seed: 5)
    let words = [
      "/", "v1", "status", "summary", "?since=", "entries", "1-2", "ccache", "00", "ff", "..", "%2e", "-", "+", "0",
      "\0",
    ]
    var read = 0
    for _ in 0..<50_000 {
      let text = (0..<Int.random(in: 1...8, using: &generator)).map { _ in words.randomElement(using: &generator)! }
      guard let target = PeerTarget("/v1/" + text.joined()) else { continue }
      read += 1
      #expect(target.text == "/v1/" + text.joined())
    }
    #expect(read > 0)
  }
}
