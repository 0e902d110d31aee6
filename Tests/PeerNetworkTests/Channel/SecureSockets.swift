import NIOCore
import NIOPosix
import Synchronization

@testable import PeerNetwork

/// Answers on loopback what it is asked, in capitals, once for each connection.
final class SecureServer: Sendable {
  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: Counter

    init(_ server: Counter) {
      self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      server.value.withLock { $0 += 1 }
      let text = String(buffer: unwrapInboundIn(data)).uppercased()
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
      context.close(promise: nil)
    }
  }

  private final class Counter: Sendable {
    let value = Mutex(0)
  }

  private let channel: any Channel
  private let counter: Counter
  let port: Int

  /// How often something arrived.
  var receivedCount: Int { counter.value.withLock { $0 } }

  init(key: [UInt8]) async throws {
    let security = try ChannelSecurity(key: key)
    let counter = Counter()
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers([
            SecureChannelHandler(try security.makeConnection(.server)), Handler(counter),
          ])
        }
      }.bind(host: "127.0.0.1", port: 0).get()
    self.counter = counter
    port = channel.localAddress?.port ?? 0
  }

  func stop() async { try? await channel.close().get() }
}

/// Asks one question.
enum SecureClient {
  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let question: String
    private let answer: EventLoopPromise<String?>
    private var received = ""

    init(_ question: String, _ answer: EventLoopPromise<String?>) {
      self.question = question
      self.answer = answer
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if event is SecureChannelEstablished {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: question)), promise: nil)
      }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      received += String(buffer: unwrapInboundIn(data))
      if received.hasSuffix("\n") { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
      answer.succeed(received.isEmpty ? nil : received)
    }
  }

  /// The line that comes back; nil when the channel did not stand. Throws when nobody listens.
  static func ask(_ question: String, port: Int, key: [UInt8]) async throws -> String? {
    let security = try ChannelSecurity(key: key)
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let answer = loop.makePromise(of: String?.self)
    ClientBootstrap(group: loop).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers([
          SecureChannelHandler(try security.makeConnection(.client)), Handler(question, answer),
        ])
      }
    }.connect(host: "127.0.0.1", port: port).whenFailure { answer.fail($0) }
    return try await answer.futureResult.get()
  }
}
