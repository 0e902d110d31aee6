package import CacheStore
package import ChannelSupport
package import ControlProtocol
import Cryptography
package import NIOPosix
package import PeerRecords
package import SystemPackage

extension PeerNetwork {
  /// What a network is made of.
  package struct Parameters: Sendable {
    package let settings: PeerSettings
    /// Of the team's scope.
    package let store: CacheStore
    /// `$XDG_DATA_HOME/fabrik`.
    package let dataDirectory: FilePath
    /// Bodies on their way to peers.
    package let transfers: ActivityCount
    package let group: MultiThreadedEventLoopGroup
    /// Where servers on this machine find each other.
    package let rendezvousDirectory: FilePath
    /// Puts a question to the user; see ``ConsentGate``.
    package let ask: ConsentGate.Question

    package init(
      settings: PeerSettings, store: CacheStore, dataDirectory: FilePath, transfers: ActivityCount,
      group: MultiThreadedEventLoopGroup, rendezvousDirectory: FilePath = Rendezvous.standardDirectory,
      ask: @escaping ConsentGate.Question
    ) {
      self.settings = settings
      self.store = store
      self.dataDirectory = dataDirectory
      self.transfers = transfers
      self.group = group
      self.rendezvousDirectory = rendezvousDirectory
      self.ask = ask
    }
  }

  /// Where records of peers are, below the data directory.
  package static func records(in dataDirectory: FilePath) -> PeerRecords {
    PeerRecords(directory: dataDirectory.appending("peers"))
  }

  /// Whether making a network will take no time: the team's keys have been derived before.
  package static func isQuick(settings: PeerSettings, dataDirectory: FilePath) -> Bool {
    TeamKeys.areKept(secret: settings.secret.text, directory: TeamKeys.directory(in: dataDirectory))
  }
}
