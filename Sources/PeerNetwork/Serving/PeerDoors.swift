import ControlProtocol
import Discovery
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import SystemPackage
import SystemSupport

/// Where this server is asked by peers: a port, and a socket for servers of this machine.
final class PeerDoors: Sendable {
  private let service: PeerService
  private let settings: PeerSettings
  private let rendezvous: Rendezvous
  private let group: any EventLoopGroup
  private let status: StatusFields
  private let channels = Mutex<[any Channel]>([])

  init(
    service: PeerService, settings: PeerSettings, rendezvous: Rendezvous, group: any EventLoopGroup,
    status: StatusFields
  ) {
    self.service = service
    self.settings = settings
    self.rendezvous = rendezvous
    self.group = group
    self.status = status
  }

  /// - Returns: the port; 0 when there is none.
  func open() async -> UInt16 {
    let interfaces = settings.interfaces
    var addresses: (@Sendable () -> Set<InternetAddress>)?
    if !interfaces.isEmpty { addresses = { LocalAddresses.of(interfaces: interfaces) } }
    let listener = PeerListener(service: service, group: group, addresses: addresses)
    if let path = rendezvous.socket(of: service.member.instance),
      let channel = try? await listener.listen(path: path.string)
    {
      // Whoever can open it still has to have the team's key. Links are not followed: whoever made the directory could
      // put one to another file of this user in the socket's place.
      path.withPlatformString { _ = fchmodat(AT_FDCWD, $0, 0o666, AT_SYMLINK_NOFOLLOW) }
      keep(channel)
    }
    // Another user of this machine may have the port that was asked for; peers learn of any other as well.
    for port in settings.port == 0 ? [0] : [settings.port, 0] {
      do {
        let channel = try await listener.listen(port: port)
        keep(channel)
        return UInt16(channel.localAddress?.port ?? 0)
      } catch {
        status.add(
          problem: port == 0
            ? "no port can be had (\(error)): peers cannot ask this machine"
            : "port \(port) cannot be had (\(error)); peers are answered on another, which a firewall may block")
      }
    }
    return 0
  }

  private func keep(_ channel: any Channel) {
    channels.withLock { $0.append(channel) }
  }

  /// Ends all connections of peers as well.
  func close() async {
    let open = channels.withLock { channels in
      defer { channels = [] }
      return channels
    }
    for channel in open { try? await channel.close().get() }
    await service.connections.end()
    if let path = rendezvous.socket(of: service.member.instance) { try? FileSystem.remove(path) }
  }
}
