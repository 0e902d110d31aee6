import ChannelSupport
import NIOCore
import NIOEmbedded
import Testing

@Suite("A value, or another at a deadline")
struct DeadlineTests {
  private let loop = EmbeddedEventLoop()

  private struct Failure: Error {}

  private func result(of body: (EventLoopPromise<Int>) -> Void) -> Int? {
    let promise = loop.makePromise(of: Int.self)
    var result: Int?
    promise.futureResult.or(7, at: loop.now + .seconds(1), on: loop).assumeIsolated().whenSuccess { result = $0 }
    body(promise)
    let known = result
    loop.advanceTime(by: .seconds(2))
    #expect(known == nil || known == result)
    promise.succeed(0)
    return known ?? result
  }

  @Test("is the value, when that comes first")
  func inTime() {
    let value = result { promise in
      loop.advanceTime(by: .milliseconds(999))
      promise.succeed(1)
      loop.run()
    }
    #expect(value == 1)
  }

  @Test("is the other one when the deadline has come, whatever comes later")
  func late() {
    #expect(result { _ in loop.advanceTime(by: .milliseconds(999)) } == 7)
  }

  @Test("is the other one at once when there will be none")
  func failed() {
    let promise = loop.makePromise(of: Int.self)
    var result: Int?
    promise.futureResult.or(7, at: .distantFuture, on: loop).assumeIsolated().whenSuccess { result = $0 }
    promise.fail(Failure())
    loop.run()
    #expect(result == 7)
  }
}
