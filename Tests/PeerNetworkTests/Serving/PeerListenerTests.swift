import NIOCore
import NIOPosix
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A listener for peers", .timeLimit(.minutes(1)))
struct PeerListenerTests {
  /// Connects and says nothing.
  private func connect(to channel: any Channel) async throws -> any Channel {
    let address = try #require(channel.localAddress)
    let port = try #require(address.port)
    return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port).get()
  }

  private func withListener(
    addresses: Set<InternetAddress>? = nil, _ body: (any Channel, PeerService) async throws -> Void
  ) async throws {
    try await withTemporaryDirectory { directory in
      let peer = try await MadePeer(directory, number: 1)
      let listener = PeerListener(
        service: peer.service, group: MultiThreadedEventLoopGroup.singleton, addresses: addresses)
      let channel = try await listener.listen(port: 0)
      try await body(channel, peer.service)
      try await channel.close().get()
      await peer.stop()
    }
  }

  @Test("takes a limited number of connections from one address, and more when they are closed")
  func limit() async throws {
    try await withListener { channel, service in
      var open: [any Channel] = []
      for _ in 0..<ServingLimits.connectionsPerAddress { open.append(try await connect(to: channel)) }
      #expect(await eventually { !service.limits.openConnection(from: "127.0.0.1") })
      let refused = try await connect(to: channel)
      try await refused.closeFuture.get()
      #expect(open.allSatisfy(\.isActive))
      await service.connections.end()
      for connection in open { try await connection.closeFuture.get() }
      #expect(await eventually { service.limits.openConnection(from: "127.0.0.1") })
    }
  }

  @Test("takes no connection on an address that was not asked for")
  func addresses() async throws {
    try await withListener(addresses: []) { channel, service in
      let refused = try await connect(to: channel)
      try await refused.closeFuture.get()
      #expect(service.limits.openConnection(from: "127.0.0.1"))
    }
  }

  @Test("takes no connection after all were closed")
  func ended() async throws {
    try await withListener { channel, service in
      await service.connections.end()
      let refused = try await connect(to: channel)
      try await refused.closeFuture.get()
    }
  }
}
