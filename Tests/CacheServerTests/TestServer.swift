import CacheStore
import ChannelSupport
import ControlProtocol
import LayeredCache
import NIOCore
import NIOEmbedded
import NIOPosix
import SystemPackage
import SystemSupport
import TestSupport

@testable import CacheServer

/// What the connections of a server share, without the sockets and the process.
struct TestServer {
  let store: CacheStore
  let context: ServerContext

  init(_ directory: FilePath, processes: any ProcessTable = NoProcesses()) throws {
    let instance = ServerInstance(directory: directory.appending("instance"))
    let transfers = ActivityCount()
    store = try CacheStore(directory: directory.appending("cache"), maxSize: 1 << 30)
    context = ServerContext(
      instance: instance, store: store,
      compilers: CompilerWorkspace(
        directories: CompilerDirectories(cacheDirectory: directory.appending("cache")), store: store),
      leases: LeaseRegistry(processes: processes),
      lifecycle: ServerLifecycle(
        instance: instance, claim: SocketClaim(instance: instance), transfers: transfers, uploads: { 0 }
      ) { true },
      transfers: transfers, workers: .singleton, peers: nil, upstreams: nil, history: nil)
  }
}

/// Calls `body` with a server in a directory of its own.
func withServer(_ body: (TestServer) throws -> Void) throws {
  try withTemporaryDirectory { try body(TestServer($0)) }
}

struct NoProcesses: ProcessTable {
  func parent(of process: CInt) -> CInt? { nil }
}

/// A layer that may hold anything, and answers when it is told to that it does not.
final class SlowLayer: CacheLayer {
  let name = CacheLayerName.peers
  private let answer: EventLoopPromise<LayerAnswer>

  init(loop: any EventLoop) {
    answer = loop.makePromise()
  }

  func mayHold(_ key: CacheKey) -> Bool { true }
  func reasonNotToAsk(_ key: CacheKey) -> LayerOutcome { LayerOutcome(.absent) }
  var isSettling: Bool { false }
  func settling(on loop: any EventLoop) -> EventLoopFuture<Void>? { nil }

  func fetch(
    _ key: CacheKey, urgency: FetchUrgency, within patience: TimeAmount, on loop: any EventLoop
  ) -> EventLoopFuture<LayerAnswer> {
    answer.futureResult.hop(to: loop)
  }

  func say() { answer.succeed(.nothing(LayerOutcome(.absent))) }
}

extension EmbeddedChannel {
  /// A connection that is open, with these handlers.
  static func connected(_ handlers: any ChannelHandler...) throws -> EmbeddedChannel {
    let channel = EmbeddedChannel(handlers: handlers)
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
    return channel
  }

  /// All that has been written since the last time.
  func output() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let part = try readOutbound(as: ByteBuffer.self) { bytes += part.readableBytesView }
    return bytes
  }
}
