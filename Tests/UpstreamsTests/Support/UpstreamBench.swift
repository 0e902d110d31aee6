import CacheStore
import ChannelSupport
import ControlProtocol
import LayeredCache
import NIOCore
import NIOPosix
import Synchronization
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// A clock that a test moves: a store is left alone for as long as the test says, and not until the machine has had the time
/// to look.
final class StoppedClock: Sendable {
  private let value = Mutex(NIODeadline.now())

  var now: NIODeadline { value.withLock { $0 } }

  func advance(by time: TimeAmount) { value.withLock { $0 = $0 + time } }
}

/// A machine with a local store and upstreams.
struct UpstreamBench {
  let directory: FilePath
  let local: CacheStore
  let group: UpstreamGroup
  let transfers = ActivityCount()
  let loop: any EventLoop

  init(
    _ settings: [UpstreamSettings], in directory: FilePath, secret: Secret? = nil, maxSize: UInt64 = 100_000_000,
    clock: @escaping UpstreamClock = { .now() }
  ) throws {
    self.directory = directory
    loop = FakeStore.group.next()
    local = try CacheStore(directory: directory.appending("cache"), maxSize: maxSize)
    group = UpstreamGroup(
      .init(
        settings: settings, secret: secret, store: local, dataDirectory: directory.appending("data"),
        transfers: transfers, loop: loop, surroundings: .init(), clock: clock))
  }

  var upstreams: [Upstream] { group.layers.compactMap { $0 as? Upstream } }

  /// Asks one upstream for an entry, and waits until it is stored if it will be.
  func fetch(_ key: CacheKey, from number: Int = 0, within patience: TimeAmount = .seconds(60)) async throws
    -> FetchedEntry?
  {
    try await ask(key, from: number, within: patience).entry
  }

  /// The same, with the reason when there is none.
  func ask(_ key: CacheKey, from number: Int = 0, within patience: TimeAmount = .seconds(60)) async throws
    -> LayerAnswer
  {
    let answer = try await group.layers[number].fetch(key, urgency: .tool, within: patience, on: loop).get()
    try await answer.entry?.stored?.get()
    return answer
  }

  /// Waits until nothing is under way any more.
  func settle() async throws {
    while group.uploads > 0 || transfers.current > 0 { try await Task.sleep(for: .milliseconds(2)) }
  }
}

/// Calls `body` with a machine whose upstreams are these stores.
func withBench(
  _ stores: [FakeStore], secret: Secret? = nil, maxSize: UInt64 = 100_000_000,
  clock: StoppedClock? = nil, change: (inout UpstreamSettings) -> Void = { _ in },
  _ body: (UpstreamBench) async throws -> Void
) async throws {
  try await withTemporaryDirectory { directory in
    let settings = stores.map { store in
      var settings = UpstreamSettings(url: store.url, timeout: 30_000)
      change(&settings)
      return settings
    }
    let bench = try UpstreamBench(
      settings, in: directory, secret: secret, maxSize: maxSize,
      clock: { clock?.now ?? .now() })
    bench.group.prepare()
    defer { bench.group.stop() }
    try await body(bench)
  }
  for store in stores { try await store.close() }
}
