import CacheStore
import FrontEnds
import TestSupport
import Testing

@Suite("The protocol between the cache program and the server")
struct GoCacheLinkTests {
  private static let action = [UInt8](0..<32)
  private static let output = [UInt8](200..<232)

  private static let requests: [GoCacheLink.Request] = [
    .hello(lease: "abc"), .get(id: 1, action: action), .ping, .hello(lease: ""),
    .put(id: -1, action: action, output: output, size: .max, file: "go.1.2"),
    .put(id: .max, action: action, output: output, size: 0, file: ""),
  ]
  private static let replies: [GoCacheLink.Reply] = [
    .ready(directory: Array("/cache/tmp".utf8)), .miss(id: 1), .refused(id: 3), .pong, .stored(id: 4, path: [47, 97]),
    .hit(id: 2, output: output, size: 1 << 40, created: 1_700_000_000_123, path: [UInt8](repeating: 120, count: 4095)),
  ]

  @Test("messages come back, however they are cut", arguments: 0..<30)
  func roundTrip(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let requests = generator.pieces(of: Self.requests.flatMap(\.encoded), upTo: seed == 0 ? 1 : 300).map { $0[...] }
    #expect(messages(requests, of: GoCacheLink.Request.self) == (Self.requests.map { .message($0) }, 0))
    let replies = generator.pieces(of: Self.replies.flatMap(\.encoded), upTo: seed == 0 ? 1 : 300).map { $0[...] }
    #expect(messages(replies, of: GoCacheLink.Reply.self) == (Self.replies.map { .message($0) }, 0))
  }

  @Test(
    "what is no message ends the conversation",
    arguments: [
      [0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 9], [2, 0, 0, 0, 1, 99], [2, 0, 0, 0, 4, 0], [3, 0, 0, 0, 2, 0, 0],
      [40, 0, 0, 0, 2] + [UInt8](0..<39), [42, 0, 0, 0, 2] + [UInt8](0..<41),
      // Longer than a frame may be.
      [1, 0, 1, 0],
    ] as [[UInt8]])
  func malformed(bytes: [UInt8]) {
    let (events, _) = messages([(bytes + GoCacheLink.Request.ping.encoded)[...]], of: GoCacheLink.Request.self)
    #expect(events == [.malformed])
  }

  @Test("noise is never taken for much", arguments: 0..<100)
  func noise(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let (events, left) = messages([generator.bytes(200_000)[...]], of: GoCacheLink.Reply.self)
    #expect(events.count { $0 != .malformed } <= 2)
    #expect(events.contains(.malformed) == (left == 0) || left < 1 << 16 + 4)
  }

  @Test("the key of an action is its identifier, in Go's own namespace")
  func key() {
    #expect(GoCacheLink.key(Self.action)?.description.hasPrefix("go/000102") == true)
  }
}
