import ControlProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import CacheServer

@Suite("Processes beside a build")
struct CompanionsTests {
  private let loop = EmbeddedEventLoop()
  private let companions = Companions()

  private func companion(of lease: String) throws -> EmbeddedChannel {
    let channel = EmbeddedChannel(loop: loop)
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/companion")).wait()
    companions.add(channel, to: lease)
    return channel
  }

  private func isOver(_ channel: EmbeddedChannel) throws -> Bool {
    try channel.output() == ControlMessage(ControlMessage.end).encoded
  }

  /// Whether a build may end, once its companions have been told to.
  private func dismissal(of lease: String?) -> () -> Bool {
    var isDone = false
    companions.dismiss(lease: lease, on: loop).assumeIsolated().whenSuccess { isDone = true }
    return { isDone }
  }

  @Test("are told of its end, and waited for")
  func waits() throws {
    let (one, two, other) = (try companion(of: "a"), try companion(of: "a"), try companion(of: "b"))
    let isDone = dismissal(of: "a")
    #expect(try isOver(one) && isOver(two) && !isOver(other))
    try one.close().wait()
    loop.run()
    #expect(!isDone())
    try two.close().wait()
    loop.run()
    #expect(isDone())
  }

  @Test("are waited for for less than the two seconds that the launcher waits")
  func patience() throws {
    let one = try companion(of: "a")
    let isDone = dismissal(of: "a")
    loop.advanceTime(by: .milliseconds(500))
    #expect(!isDone())
    loop.advanceTime(by: .milliseconds(1500))
    #expect(isDone())
    try one.close().wait()
    loop.run()
  }

  @Test("that are gone, or were none, are not waited for at all")
  func none() throws {
    #expect(dismissal(of: nil)() && dismissal(of: "a")())
    try companion(of: "a").close().wait()
    loop.run()
    #expect(dismissal(of: "a")())
  }
}
