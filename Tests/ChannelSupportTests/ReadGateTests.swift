import ChannelSupport
import NIOCore
import NIOEmbedded
import Testing

@Suite("Reading from a client")
struct ReadGateTests {
  /// Counts how often it is read from the socket.
  private final class Socket: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    var reads = 0

    func read(context: ChannelHandlerContext) { reads += 1 }
  }

  @Test("waits while an answer is on its way, and goes on afterwards, once")
  func busy() throws {
    let (socket, gate) = (Socket(), ReadGate())
    let channel = EmbeddedChannel(handlers: [socket, gate])
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
    let before = socket.reads
    channel.pipeline.read()
    #expect(socket.reads == before + 1)
    gate.isBusy = true
    channel.pipeline.read()
    channel.pipeline.read()
    #expect(socket.reads == before + 1)
    gate.isBusy = false
    #expect(socket.reads == before + 2)
    gate.isBusy = true
    gate.isBusy = false
    #expect(socket.reads == before + 2, "nobody has asked for more")
  }

  @Test("waits while the client does not take what it was given")
  func unwritable() throws {
    let (socket, gate) = (Socket(), ReadGate())
    let channel = EmbeddedChannel(handlers: [socket, gate])
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
    let before = socket.reads
    channel.isWritable = false
    channel.pipeline.read()
    #expect(socket.reads == before)
    channel.isWritable = true
    channel.pipeline.fireChannelWritabilityChanged()
    #expect(socket.reads == before + 1)
  }
}
