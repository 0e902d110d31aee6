import CacheStore
import ChannelSupport
import ControlProtocol
import LayeredCache
import NIOPosix
import PeerNetwork
import Synchronization
import SystemPackage

/// The peer network of a server, if it has one: made beside the builds, which do not wait for it.
final class PeerSide: Sendable {
  private let settings: PeerSettings
  private let dataDirectory: FilePath
  private let store: CacheStore
  private let transfers: ActivityCount
  private let group: MultiThreadedEventLoopGroup
  private let network = Mutex<PeerNetwork?>(nil)
  private let asker: ConsentAsker
  private let problem = Mutex<String?>(nil)

  /// nil when peers are off.
  init?(options: ServerOptions, store: CacheStore, transfers: ActivityCount, group: MultiThreadedEventLoopGroup) {
    guard let settings = options.peerSettings, let dataDirectory = options.dataDirectory else { return nil }
    self.settings = settings
    self.dataDirectory = dataDirectory
    asker = ConsentAsker(dataDirectory: dataDirectory, busAddress: options.sessionBus)
    self.store = store
    self.transfers = transfers
    self.group = group
  }

  /// Starts the network. Returns when lookups can reckon with it, if that takes no time, and at once otherwise.
  func start(for cache: LayeredCache) async {
    let isQuick = PeerNetwork.isQuick(settings: settings, dataDirectory: dataDirectory)
    if isQuick { make(for: cache) }
    Task.detached {
      if !isQuick { self.make(for: cache) }
      await self.network.withLock { $0 }?.start()
    }
  }

  private func make(for cache: LayeredCache) {
    do {
      let network = try PeerNetwork(
        .init(
          settings: settings, store: store, dataDirectory: dataDirectory, transfers: transfers, group: group,
          ask: asker.ask))
      cache.add(network.layer)
      cache.onStore { network.stored($0.key) }
      self.network.withLock { $0 = network }
    } catch {
      problem.withLock { $0 = "\(error)" }
    }
  }

  /// To be called when a build begins.
  func buildBegins() {
    network.withLock { $0 }?.buildBegins()
  }

  func stop() async {
    asker.stop()
    await network.withLock { $0 }?.stop()
  }

  /// For `fabrik p2p status`.
  var statusFields: [String: String] {
    network.withLock { $0 }?.statusFields ?? ["problem": problem.withLock { $0 } ?? "the keys are being derived"]
  }

  /// For `fabrik p2p list`.
  func report() async -> [PeerReport] {
    await network.withLock { $0 }?.report() ?? []
  }
}
