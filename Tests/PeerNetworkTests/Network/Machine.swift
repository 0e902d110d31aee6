import CacheStore
import ChannelSupport
import ControlProtocol
import Cryptography
import LayeredCache
import NIOCore
import NIOPosix
import PeerRecords
import Synchronization
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

/// A team that no other test is of.
struct Team: Sendable {
  let secret: Secret
  let scope: Scope
  private let root: [UInt8]

  init() throws {
    let text = "a secret for tests \(UInt64.random(in: 0...UInt64.max))"
    secret = Secret(text)
    scope = try #require(TeamKeys.scope(secret: text))
    root = try TeamKeys.root(secret: text)
  }

  /// Spares a machine the tenth of a second that deriving the keys takes.
  fileprivate func leaveKeys(in dataDirectory: FilePath) throws {
    let file = dataDirectory.appending("teams").appending(Hex.encode(scope.tag))
    try Files.write(Hex.encode(root) + "\n", to: file)
  }
}

/// A machine on loopback with a cache and a whole peer network.
final class Machine: Sendable {
  let name: String
  let store: CacheStore
  let cache: LayeredCache
  let network: PeerNetwork
  let records: PeerRecords
  let identifier: PeerIdentifier
  private let questions: Questions

  private final class Questions: Sendable { let list = Mutex<[String]>([]) }

  /// - Parameters:
  ///   - directory: of all machines of a test; what a machine of the same name left there is there again.
  ///   - peers: whose addresses are written in the configuration.
  ///   - meeting: where servers of one machine meet; nil: this one meets others over the network only.
  init(
    _ name: String, of team: Team, in directory: FilePath, peers: [Machine] = [], consent: ConsentMode = .alwaysAllow,
    interfaces: [String] = ["lo"], storeName: String = "store", meeting: FilePath? = nil
  ) async throws {
    let data = directory.appending(name)
    try team.leaveKeys(in: data)
    store = try CacheStore(directory: data.appending(storeName), maxSize: 1 << 30, scope: team.scope)
    records = PeerNetwork.records(in: data)
    cache = LayeredCache(local: store)
    let questions = Questions()
    let addresses = peers.map { "127.0.0.1:\($0.port)" }
    network = try PeerNetwork(
      .init(
        settings: PeerSettings(
          secret: team.secret, consent: consent, addresses: addresses, interfaces: interfaces, name: name),
        store: store,
        dataDirectory: data, transfers: ActivityCount(), group: .singleton,
        rendezvousDirectory: meeting ?? data.appending("rendezvous")
      ) { _, name, address in questions.list.withLock { $0.append("\(name) \(address)") } })
    identifier = try MachineIdentity(file: data.appending("identity")).identifier
    self.name = name
    self.questions = questions
    cache.add(network.layer)
    let network = network
    cache.onStore { network.stored($0.key) }
    await network.start()
  }

  var port: String { network.statusFields["port"] ?? "" }

  /// Who has been asked about.
  var asked: [String] { questions.list.withLock { $0 } }

  /// Stores what a tool has made.
  func make(_ key: CacheKey, _ body: [UInt8]) {
    let writer = store.makeWriter(key: key, digest: SHA256Digest())
    body.withUnsafeBytes { writer.write($0) }
    cache.record(writer.commit(duration: 500, mode: .keepFirst), of: key, for: nil)
  }

  /// Looks a key up as a front end does; nil is a miss.
  func lookup(_ key: CacheKey, _ account: StatisticsAccount = StatisticsAccount()) async throws -> [UInt8]? {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let answer = loop.makePromise(of: [UInt8]?.self)
    loop.execute {
      self.cache.find(key, for: account, on: loop) { found in
        switch found {
        case nil: answer.succeed(nil)
        case .entry(let entry, _): answer.succeed(entry.body)
        case .body(let body, _): answer.succeed(Array(body.readableBytesView))
        }
      }
    }
    return try await answer.futureResult.get()
  }

  /// Looks a key up until it is found: on a busy machine an answer may come too late to be waited for.
  ///
  /// - Returns: the body, and what was counted of the lookup that found it.
  func find(_ key: CacheKey) async throws -> (body: [UInt8]?, statistics: LeaseStatistics) {
    var account = StatisticsAccount()
    var body: [UInt8]?
    _ = try await eventually {
      account = StatisticsAccount()
      body = try await lookup(key, account)
      return body != nil
    }
    return (body, account.current)
  }

  /// Waits until some peer says to hold a key, or none does.
  func awaits(_ key: CacheKey, isHeld: Bool = true) async -> Bool {
    await eventually { self.network.layer.mayHold(key) == isHeld }
  }

  /// Waits until so many peers are connected.
  func awaits(peers count: Int) async -> Bool {
    await eventually { await self.network.report().count == count }
  }
}

/// Calls `body` with a directory and a team, and stops the machines that it made.
func withTeam(_ body: (FilePath, Team, (Machine) -> Machine) async throws -> Void) async throws {
  try await withTemporaryDirectory { directory in
    var machines: [Machine] = []
    func keep(_ machine: Machine) -> Machine {
      machines.append(machine)
      return machine
    }
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(directory, Team(), keep))
    } catch {
      result = .failure(error)
    }
    for machine in machines { await machine.network.stop() }
    try result.get()
  }
}
