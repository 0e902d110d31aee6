import CacheStore
import ControlProtocol
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import LayeredCache

@Suite("A hundred lookups of one key", .timeLimit(.minutes(5)))
struct SingleFlightTests {
  private let key = CacheKey(test: 1)

  @Test("make one request to a layer, whose answer is everybody's", arguments: [true, false])
  func singleFlight(holds: Bool) async throws {
    try await withTemporaryDirectory { directory in
      let group = MultiThreadedEventLoopGroup(numberOfThreads: 4)
      let layer = FakeLayer(.peers, holds ? [key: [6]] : [:], isHolding: true, claims: true)
      let cache = LayeredCache(local: try CacheStore(directory: directory, maxSize: 1_000_000))
      cache.add(layer)
      let account = StatisticsAccount()
      let answers = (0..<100).map { _ in
        let loop = group.next()
        let answer = loop.makePromise(of: [UInt8]?.self)
        loop.execute { cache.find(key, for: account, on: loop) { answer.succeed($0?.body) } }
        return answer.futureResult
      }
      let other = try #require(cache.fetch(CacheKey(test: 2), for: account, on: group.next()))
      // What a loop was told to do before is done when it has done this.
      for loop in group.makeIterator() { try await loop.submit {}.get() }
      #expect(answers.count == 100 && Set(layer.questions) == [key, CacheKey(test: 2)] && layer.questions.count == 2)
      layer.release()
      for answer in answers {
        #expect(try await answer.get() == (holds ? [6] : nil))
      }
      _ = try await other.get()
      #expect(account.current.lookups == 100 && account.current.hitCount == (holds ? 100 : 0))

      let again = try #require(cache.fetch(key, for: StatisticsAccount(), on: group.next()))
      for loop in group.makeIterator() { try await loop.submit {}.get() }
      layer.release()
      _ = try await again.get()
      #expect(layer.questions.count == 3, "a request that is over is not shared")
      try await group.shutdownGracefully()
    }
  }
}
