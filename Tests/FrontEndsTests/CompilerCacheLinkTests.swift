import CacheStore
import FrontEnds
import SystemSupport
import TestSupport
import Testing

@Suite("The protocol between the compilers' plugin and the server")
struct CompilerCacheLinkTests {
  private static let action = [UInt8](0..<32)
  private static let digest = Digest(bytes: [UInt8](200..<232))

  private static let requests: [CompilerCacheLink.Request] = [
    .hello(lease: "abc", directory: Array("/cache/compilers/0123456789abcdef".utf8)),
    .hello(lease: "", directory: [47]),
    .get(action: action), .put(action: action, body: []),
    .put(action: action, body: [UInt8](repeating: 3, count: 70_000)),
    .object(digest), .used(action: action, bytes: .max),
  ]
  private static let replies: [CompilerCacheLink.Reply] = [
    .ready, .miss, .working, .hit(body: [], paths: []), .hit(body: [1, 2, 3], paths: [[47], Array("/store/ab".utf8)]),
    .hit(body: [UInt8](repeating: 9, count: 250_000), paths: [[UInt8](repeating: 120, count: 4095)]),
    .object(path: [47, 97]),
  ]

  @Test("messages come back, however they are cut", arguments: 0..<20)
  func roundTrip(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let requests = generator.pieces(of: Self.requests.flatMap(\.encoded), upTo: 3000).map { $0[...] }
    #expect(messages(requests, of: CompilerCacheLink.Request.self) == (Self.requests.map { .message($0) }, 0))
    let replies = generator.pieces(of: Self.replies.flatMap(\.encoded), upTo: 3000).map { $0[...] }
    #expect(messages(replies, of: CompilerCacheLink.Reply.self) == (Self.replies.map { .message($0) }, 0))
  }

  @Test("frames are what the plugin, which is written in C, takes them for")
  func frames() {
    let hello = CompilerCacheLink.Request.hello(lease: "ab", directory: Array("/w".utf8))
    #expect(hello.encoded == [7, 0, 0, 0, 1, 2, 2, 97, 98, 47, 119])
    #expect(CompilerCacheLink.Request.get(action: Self.action).encoded == [33, 0, 0, 0, 2] + Self.action)
    #expect(
      CompilerCacheLink.Request.used(action: Self.action, bytes: 258).encoded
        == [41, 0, 0, 0, 5] + Self.action + [2, 1, 0, 0, 0, 0, 0, 0])
    #expect(CompilerCacheLink.Reply.ready.encoded == [2, 0, 0, 0, 1, 2])
    #expect(
      CompilerCacheLink.Reply.hit(body: [5, 6], paths: [[47], [47, 97]]).encoded
        == [14, 0, 0, 0, 2, 2, 0, 0, 0, 5, 6, 1, 0, 47, 2, 0, 47, 97])
    #expect(CompilerCacheLink.Reply.miss.encoded == [1, 0, 0, 0, 3])
    #expect(CompilerCacheLink.Reply.object(path: [47]).encoded == [2, 0, 0, 0, 4, 47])
    #expect(CompilerCacheLink.Reply.working.encoded == [1, 0, 0, 0, 5])
  }

  @Test(
    "what is no message ends the conversation",
    arguments: [
      // Nothing; an unknown kind; another version; a lease that is longer than the frame; no path; no absolute path.
      [0, 0, 0, 0], [1, 0, 0, 0, 99], [3, 0, 0, 0, 1, 9, 0], [4, 0, 0, 0, 1, 2, 5, 97], [3, 0, 0, 0, 1, 2, 0],
      [5, 0, 0, 0, 1, 2, 0, 97, 47], [5, 0, 0, 0, 1, 2, 0, 47, 0],
      // Keys that are too short or too long; no number.
      [32, 0, 0, 0, 2] + [UInt8](0..<31), [34, 0, 0, 0, 2] + [UInt8](0..<33), [32, 0, 0, 0, 3] + [UInt8](0..<31),
      [32, 0, 0, 0, 4] + [UInt8](0..<31), [33, 0, 0, 0, 5] + [UInt8](0..<32),
      // Longer than a frame may be.
      [1, 0, 16, 0], [255, 255, 255, 255, 2],
    ] as [[UInt8]])
  func malformed(bytes: [UInt8]) {
    let (events, left) = messages([bytes[...]], of: CompilerCacheLink.Request.self)
    #expect(events == [.malformed] && left == 0)
  }

  @Test(
    "a hit that is shorter than it says is none",
    arguments: [
      [2, 0, 0], [2, 4, 0, 0, 0, 1, 2, 3], [2, 1, 0, 0, 0, 9, 2, 0, 47], [2, 0, 0, 0, 0, 1],
    ]
      as [[UInt8]])
  func shortHit(content: [UInt8]) {
    let frame = [UInt8(content.count), 0, 0, 0] + content
    #expect(messages([frame[...]], of: CompilerCacheLink.Reply.self).events == [.malformed])
  }

  @Test("noise is never taken for much", arguments: 0..<100)
  func noise(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var bytes = generator.bytes(100_000)
    // Lengths that are not far too large, every other time.
    if seed % 2 == 0 { for index in stride(from: 2, to: bytes.count, by: 4) { bytes[index] = 0; bytes[index + 1] = 0 } }
    for _ in 0..<2 {
      let requests = messages(generator.pieces(of: bytes), of: CompilerCacheLink.Request.self).events
      let replies = messages(generator.pieces(of: bytes), of: CompilerCacheLink.Reply.self).events
      #expect(requests.count { $0 != .malformed } <= 3 && replies.count { $0 != .malformed } <= 3)
    }
  }

  @Test("actions and objects have namespaces of their own, and objects are what they are called")
  func keys() throws {
    #expect(CompilerCacheLink.key(ofAction: Self.action)?.description.hasPrefix("swift-ac/000102") == true)
    let object = try #require(CompilerCacheLink.key(ofObject: Self.digest))
    #expect(object.namespace == "swift-cas" && object.contentDigest == Self.digest)
    #expect(CompilerCacheLink.key(ofAction: Self.action)?.isContentAddressed == false)
  }
}
