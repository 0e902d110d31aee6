import NIOCore
import NIOEmbedded

@testable import PeerNetwork

/// Keeps what a ``SecureChannelHandler`` hands on.
final class Recorder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private(set) var received: [UInt8] = []
  /// The exporter's value of each time the channel was said to be established.
  private(set) var exporters: [[UInt8]] = []
  private(set) var isInactive = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received += Array(unwrapInboundIn(data).readableBytesView)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? SecureChannelEstablished { exporters.append(event.exporter) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    isInactive = true
  }
}

/// One end of an encrypted channel without a network.
struct SecureEnd {
  let channel = EmbeddedChannel()
  let recorder = Recorder()
  let connection: SecureConnection

  init(_ role: ChannelSecurity.Role, key: [UInt8]) throws {
    connection = try ChannelSecurity(key: key).makeConnection(role)
    try channel.pipeline.syncOperations.addHandlers([SecureChannelHandler(connection), recorder])
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
  }

  var isEstablished: Bool { !recorder.exporters.isEmpty }

  /// What it wants to send.
  func takeOutput() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let buffer = try channel.readOutbound(as: ByteBuffer.self) { bytes += Array(buffer.readableBytesView) }
    return bytes
  }

  func receive(_ bytes: some Sequence<UInt8>) throws {
    _ = try channel.writeInbound(ByteBuffer(bytes: bytes))
  }

  /// Encrypts bytes; they are then in the output.
  func send(_ bytes: some Sequence<UInt8>) {
    channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
  }
}

/// Both ends of an encrypted channel, with all that is sent carried over by hand.
struct SecurePair {
  let client: SecureEnd
  let server: SecureEnd

  init(clientKey: [UInt8] = .init(repeating: 1, count: 32), serverKey: [UInt8] = .init(repeating: 1, count: 32)) throws
  {
    client = try SecureEnd(.client, key: clientKey)
    server = try SecureEnd(.server, key: serverKey)
  }

  /// Carries everything over until both are silent.
  ///
  /// - Parameter cut: how the bytes arrive.
  func exchange(cut: ([UInt8]) -> [ArraySlice<UInt8>] = { [$0[...]] }) throws {
    while true {
      let (up, down) = (try client.takeOutput(), try server.takeOutput())
      if up.isEmpty, down.isEmpty { return }
      for piece in cut(up) where server.channel.isActive { try server.receive(piece) }
      for piece in cut(down) where client.channel.isActive { try client.receive(piece) }
    }
  }
}
