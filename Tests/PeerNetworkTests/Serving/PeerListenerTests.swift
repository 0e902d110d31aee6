import Cryptography
import NIOCore
import NIOPosix
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

extension RealNetwork {
  @Suite("A listener for peers", .timeLimit(.minutes(5)))
  struct PeerListenerTests {
    private func withListener(
      addresses: Set<InternetAddress>? = nil, _ body: (any Channel, PeerService) async throws -> Void
    ) async throws {
      try await withTemporaryDirectory { directory in
        let peer = try await MadePeer(directory, number: 1)
        var served: (@Sendable () -> Set<InternetAddress>)?
        if let addresses { served = { addresses } }
        let listener = PeerListener(
          service: peer.service, group: MultiThreadedEventLoopGroup.singleton, addresses: served)
        let channel = try await listener.listen(port: 0)
        try await body(channel, peer.service)
        try await channel.close().get()
        await peer.stop()
      }
    }

    /// Checks whether who connects is answered, if only that it was not understood.
    private func expectAnswer(
      _ isExpected: Bool, of listener: any Channel, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      let port = try #require(listener.localAddress?.port)
      let key = try TeamKeys(root: MadePeer.root).channelKey
      func isAnswered() async throws -> Bool {
        try await SecureClient.ask("nonsense\r\n\r\n", port: port, key: key) != nil
      }
      // On a busy machine there may be no answer in time.
      let result = isExpected ? try await eventually(isAnswered) : try await isAnswered()
      #expect(result == isExpected, sourceLocation: sourceLocation)
    }

    @Test("takes connections of those who have the key")
    func open() async throws {
      try await withListener { listener, _ in try await expectAnswer(true, of: listener) }
    }

    @Test("takes a limited number of connections from one address, and more when some are closed")
    func limit() async throws {
      try await withListener { listener, service in
        while service.limits.openConnection(from: "127.0.0.1") {}
        try await expectAnswer(false, of: listener)
        service.limits.closeConnection(from: "127.0.0.1")
        try await expectAnswer(true, of: listener)
        #expect(await eventually { service.limits.openConnection(from: "127.0.0.1") }, "which is over")
      }
    }

    @Test("takes no connection on an address that was not asked for")
    func addresses() async throws {
      try await withListener(addresses: []) { listener, _ in try await expectAnswer(false, of: listener) }
      let loopback = try #require(InternetAddress("127.0.0.1"))
      try await withListener(addresses: [loopback]) { listener, _ in try await expectAnswer(true, of: listener) }
    }

    @Test("takes no connection when all are being closed")
    func ended() async throws {
      try await withListener { listener, service in
        await service.connections.end()
        try await expectAnswer(false, of: listener)
      }
    }
  }
}
