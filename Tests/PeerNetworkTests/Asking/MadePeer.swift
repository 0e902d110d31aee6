import CacheStore
import ChannelSupport
import ControlProtocol
import Cryptography
import LayeredCache
import NIOCore
import NIOPosix
import Synchronization
import SystemPackage
import TestSupport

@testable import PeerNetwork
@testable import PeerRecords

/// What a peer's answers go through before they are encrypted.
final class Meddler: Sendable {
  enum Fate {
    case send(ByteBuffer)
    /// Until ``release()``.
    case hold
    case close
  }

  private struct Rule: Sendable {
    let body: @Sendable (ByteBuffer) -> Fate
  }

  private struct State {
    var rule = Rule { .send($0) }
    var held: [@Sendable () -> Void] = []
    var questions = 0
  }

  private let state = Mutex(State())

  /// Questions for entries.
  var questions: Int { state.withLock { $0.questions } }

  func follow(_ rule: @escaping @Sendable (ByteBuffer) -> Fate) { state.withLock { $0.rule = Rule(body: rule) } }

  fileprivate func fate(of answer: ByteBuffer) -> Fate { state.withLock { $0.rule }.body(answer) }

  fileprivate func hold(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.held.append(body) } }

  fileprivate func count(_ questions: Int) { state.withLock { $0.questions += questions } }

  func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for body in held { body() }
  }
}

private final class MeddlingHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let meddler: Meddler

  init(_ meddler: Meddler) {
    self.meddler = meddler
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let text = String(buffer: unwrapInboundIn(data))
    meddler.count(text.split(separator: "GET /v1/entries/", omittingEmptySubsequences: false).count - 1)
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let buffer = unwrapOutboundIn(data)
    switch meddler.fate(of: buffer) {
    case .send(let buffer): context.write(wrapOutboundOut(buffer), promise: promise)
    case .close: context.close(promise: promise)
    case .hold:
      let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
      meddler.hold {
        bound.eventLoop.execute { bound.value.writeAndFlush(NIOAny(buffer), promise: promise) }
      }
    }
  }
}

extension ByteBuffer {
  /// Whether this is the answer to a question for an entry, with the entry.
  var isEntry: Bool { contains("fabrik-digest") }

  func contains(_ text: String) -> Bool { String(buffer: self).contains(text) }

  /// The same bytes with one text in place of another of the same length.
  func replacing(_ old: String, by new: String) -> ByteBuffer {
    var bytes = Array(readableBytesView)
    let (old, new) = (Array(old.utf8), Array(new.utf8))
    for start in bytes.indices where bytes[start...].starts(with: old) {
      bytes.replaceSubrange(start..<start + old.count, with: new)
    }
    return ByteBuffer(bytes: bytes)
  }
}

private final class Counter: Sendable {
  private let value = Atomic(0)

  func next() -> Int { value.add(1, ordering: .relaxed).newValue }
}

/// A peer on loopback that answers, and asks nobody.
final class MadePeer: Sendable {
  let store: CacheStore
  let meddler: Meddler
  let service: PeerService
  let endpoint: PeerEndpoint
  private let channel: any Channel

  static let root = [UInt8](repeating: 5, count: 32)
  static let scope = Scope(tag: [UInt8](repeating: 9, count: 16))

  /// - Parameter successor: whose machine answers all connections after the first, with the same store; nil: the same.
  init(_ directory: FilePath, number: UInt8, meddler: Meddler = Meddler(), successor: UInt8? = nil) async throws {
    let store = try CacheStore(directory: directory.appending("store\(number)"), maxSize: 1 << 30, scope: Self.scope)
    let service = try Self.service(directory, number: number, store: store)
    let others = try successor.map { try Self.service(directory, number: $0, store: store) } ?? service
    let count = Counter()
    (self.store, self.meddler, self.service) = (store, meddler, service)
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        let service = count.next() == 1 ? service : others
        _ = service.connections.keep(channel)
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers([
            SecureChannelHandler(try service.member.security.makeConnection(.server)), MeddlingHandler(meddler),
            PeerServiceHandler(service: service, address: "127.0.0.1"),
          ])
        }
      }.bind(host: "127.0.0.1", port: 0).get()
    endpoint = PeerEndpoint("127.0.0.1:\(channel.localAddress?.port ?? 0)")!
  }

  private static func service(_ directory: FilePath, number: UInt8, store: CacheStore) throws -> PeerService {
    let identity = try MachineIdentity(seed: [UInt8](repeating: number, count: 32))
    let member = try TeamMember(
      keys: TeamKeys(root: root), identity: identity, name: "peer \(number)", now: CacheStore.systemTime)
    let records = PeerRecords(directory: directory.appending("peers\(number)"))
    return PeerService(
      member: member, store: store, summary: OwnSummary(),
      consent: ConsentGate(
        mode: .alwaysAllow, records: records, own: identity.identifier, now: CacheStore.systemTime
      ) { _, _, _ in }, transfers: ActivityCount(),
      book: PeerBook(records: records, team: "t", now: CacheStore.systemTime)
    ) { _, _ in }
  }

  /// Stores an entry and says so.
  func hold(_ key: CacheKey, _ body: [UInt8]) {
    store.put(key, body, duration: 500)
    service.summary.insert(store.fingerprint(of: key))
  }

  func stop() async {
    try? await channel.close().get()
    await service.connections.end()
  }
}

/// The asking side of a network, without anything that finds peers.
final class Asker: Sendable {
  let store: CacheStore
  let index = PeerIndex()
  let layer: PeerLayer
  let directory: NIOLoopBound<PeerDirectory>
  let loop: any EventLoop

  init(_ path: FilePath, maxSize: UInt64 = 1 << 30) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let identity = try MachineIdentity(seed: [UInt8](repeating: 100, count: 32))
    let member = try TeamMember(
      keys: TeamKeys(root: MadePeer.root), identity: identity, name: "asker", now: CacheStore.systemTime)
    let book = PeerBook(
      records: PeerRecords(directory: path.appending("peers")), team: "t", now: CacheStore.systemTime)
    let settling = SettlingFlag()
    store = try CacheStore(directory: path.appending("store"), maxSize: maxSize, scope: MadePeer.scope)
    let index = index
    directory = try await loop.submit {
      NIOLoopBound(
        PeerDirectory(loop: loop, member: member, index: index, book: book) { settling.clear() }, eventLoop: loop)
    }.get()
    layer = PeerLayer(store: store, index: index, directory: directory, loop: loop, isSettling: settling)
    self.loop = loop
  }

  /// Does something with the directory, on its loop.
  func on<Value: Sendable>(_ body: @escaping @Sendable (PeerDirectory) throws -> Value) async throws -> Value {
    let directory = directory
    return try await loop.submit { try body(directory.value) }.get()
  }

  func dial(_ peers: MadePeer...) async throws {
    let endpoints = peers.map(\.endpoint)
    try await on { directory in for endpoint in endpoints { directory.add(endpoint, source: .configured) } }
  }

  /// Waits until so many peers say to hold a key. From then on their answers are waited for very long: the machine may be
  /// busy with other tests.
  func await(_ count: Int, holding key: CacheKey) async throws -> Bool {
    let isHeld = await eventually { index.holders(of: store.fingerprint(of: key)).count == count }
    try await set(patience: .seconds(20))
    return isHeld
  }

  /// How long an answer is waited for.
  func set(patience: TimeAmount) async throws {
    try await on { directory in
      for link in directory.allLinks {
        link.latency = LatencyEstimate(longest: patience)
        for _ in 0..<50 { link.latency.record(patience) }
      }
    }
  }

  func fetch(_ key: CacheKey) async throws -> String? {
    try await ask(key).entry?.peer?.name
  }

  /// The same, with the reason when there is none.
  func ask(_ key: CacheKey) async throws -> LayerAnswer {
    try await layer.fetch(key, urgency: .tool, within: .seconds(1), on: loop).get()
  }

  func stop() async { try? await on { $0.end() } }
}
