import FrontEnds
import NIOCore
import Testing

@testable import CacheServer

@Suite("What comes in on a connection of messages")
struct LinkInputTests {
  private let requests: [GoCacheLink.Request] = [
    .hello(lease: "ab"), .ping, .get(id: 7, action: [UInt8](repeating: 3, count: 32)), .ping,
  ]

  @Test("is taken message by message, however it is cut", arguments: [1, 2, 3, 7, 1000])
  func pieces(size: Int) {
    var input = LinkInput<GoCacheLink.Request>()
    var taken: [GoCacheLink.Request] = []
    var rest = requests.flatMap(\.encoded)[...]
    while !rest.isEmpty {
      input.append(ByteBuffer(bytes: rest.prefix(size)))
      rest = rest.dropFirst(size)
      while case .message(let request) = input.next() { taken.append(request) }
    }
    let more = input.next()
    #expect(taken == requests && more == nil)
  }

  @Test("is over when it cannot be understood")
  func malformed() {
    var input = LinkInput<GoCacheLink.Request>()
    input.append(ByteBuffer(bytes: GoCacheLink.Request.ping.encoded + [0, 0, 0, 0] + GoCacheLink.Request.ping.encoded))
    let events = (0..<3).map { _ in input.next() }
    #expect(events == [.message(.ping), .malformed, nil])
    input.append(ByteBuffer(bytes: GoCacheLink.Request.ping.encoded))
    let more = input.next()
    #expect(more == nil)
  }
}
