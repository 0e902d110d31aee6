import ChannelSupport
import NIOCore
import NIOPosix
import SystemSupport

/// Where peers connect to: a TCP port on all addresses, and a socket for servers on this machine.
struct PeerListener {
  private static let backlog: CInt = 64
  /// What is read at once from a peer; requests are small.
  private static let readSize = 4096

  let service: PeerService
  let group: any EventLoopGroup
  /// Those of this machine's addresses that peers are answered at; asked with each connection, since they come and go. nil:
  /// all.
  let addresses: (@Sendable () -> Set<InternetAddress>)?

  /// Listens on a port of all addresses, IPv6 and IPv4 where there are both.
  ///
  /// - Parameter port: 0: any that is free.
  func listen(port: UInt16) async throws -> any Channel {
    do {
      return try await bootstrap.bind(host: "::", port: Int(port)).get()
    } catch {
      return try await bootstrap.bind(host: "0.0.0.0", port: Int(port)).get()
    }
  }

  /// Listens on a Unix socket that every user of this machine can connect to; the channel tells who is of the team.
  func listen(path: String) async throws -> any Channel {
    try await bootstrap.bind(unixDomainSocketPath: path).get()
  }

  private var bootstrap: ServerBootstrap {
    let (service, addresses) = (service, addresses)
    return ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: Self.backlog)
      // A port that others have been told must be free again while the last server's connections are being closed.
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.readSize))
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try Self.set(up: channel, service: service, addresses: addresses) }
      }
  }

  private static func set(
    up channel: any Channel, service: PeerService, addresses: (@Sendable () -> Set<InternetAddress>)?
  ) throws {
    let remote = channel.remoteAddress?.internetAddress.map { $0.embedded ?? $0 }
    let host = remote.map { "\($0)" } ?? "this machine"
    guard isServed(remote: remote, local: channel.localAddress?.internetAddress, addresses?()) else {
      throw ChannelError.ioOnClosedChannel
    }
    guard service.connections.keep(channel), service.limits.openConnection(from: host) else {
      throw ChannelError.ioOnClosedChannel
    }
    channel.closeFuture.whenComplete { _ in service.limits.closeConnection(from: host) }
    try channel.pipeline.syncOperations.addHandlers([
      ReadGate(), SecureChannelHandler(try service.member.security.makeConnection(.server)),
      PeerServiceHandler(service: service, address: host),
    ])
  }

  /// - Parameters:
  ///   - remote: nil: it came over a Unix socket.
  ///   - local: where it was accepted.
  static func isServed(
    remote: InternetAddress?, local: InternetAddress?, _ addresses: Set<InternetAddress>?
  ) -> Bool {
    guard let remote else { return true }
    guard remote.isLocalNetwork else { return false }
    guard let addresses else { return true }
    guard let local else { return false }
    return addresses.contains(local.embedded ?? local)
  }
}
