import CacheStore
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import PeerNetwork

extension RealNetwork {
  @Suite("A stream through an encrypted channel", .timeLimit(.minutes(2)))
  struct SecureStreamTests {
    private static let size = 64 << 20
    private static let key = [UInt8](repeating: 1, count: 32)

    /// Hashes what comes in, and tells when all of it has come.
    private final class Sink: ChannelInboundHandler {
      typealias InboundIn = ByteBuffer

      private let digest = SHA256Digest()
      private let done: EventLoopPromise<Digest?>
      private var count = 0

      init(_ done: EventLoopPromise<Digest?>) {
        self.done = done
      }

      func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        count += bytes.readableBytes
        bytes.withUnsafeReadableBytes(digest.update)
        if count >= size { context.close(promise: nil) }
      }

      func channelInactive(context: ChannelHandlerContext) {
        done.succeed(count == size ? digest.finish() : nil)
      }
    }

    /// Sends a body in pieces of random lengths as soon as the channel stands, and waits for none of them.
    private final class Source: ChannelInboundHandler {
      typealias InboundIn = ByteBuffer
      typealias OutboundOut = ByteBuffer

      private let body: [UInt8]

      init(_ body: [UInt8]) {
        self.body = body
      }

      func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is SecureChannelEstablished else { return }
        var generator = SeededGenerator(seed: 7)
        for piece in generator.pieces(of: body, upTo: 8 << 20) {
          context.write(wrapOutboundOut(ByteBuffer(bytes: piece)), promise: nil)
          if Bool.random(using: &generator) { context.flush() }
        }
        context.flush()
      }
    }

    @Test("arrives as it was sent, in either direction", arguments: ["client", "server"])
    func stream(sender: String) async throws {
      var generator = SeededGenerator(seed: 1)
      let body = generator.bytes(Self.size)
      let security = try ChannelSecurity(key: Self.key)
      let group = MultiThreadedEventLoopGroup.singleton
      let received = group.next().makePromise(of: Digest?.self)
      @Sendable func handlers(_ role: ChannelSecurity.Role) throws -> [any ChannelHandler] {
        let isSender = role.rawValue == sender
        return [SecureChannelHandler(try security.makeConnection(role)), isSender ? Source(body) : Sink(received)]
      }
      let server = try await ServerBootstrap(group: group).childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandlers(handlers(.server)) }
      }.bind(host: "127.0.0.1", port: 0).get()
      let client = try await ClientBootstrap(group: group).channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandlers(handlers(.client)) }
      }.connect(host: "127.0.0.1", port: server.localAddress?.port ?? 0).get()
      #expect(try await received.futureResult.get() == SHA256Digest.digest(of: body))
      try? await client.close().get()
      try await server.close().get()
    }
  }
}
