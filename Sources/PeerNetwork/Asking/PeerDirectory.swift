import CacheStore
import LayeredCache
import NIOCore
import PeerRecords

/// All peers that this machine knows of and asks: which are dialled, when again, and which are one and the same. To be
/// used on its event loop only.
final class PeerDirectory {
  /// Why an address is dialled, and so for how long.
  enum Source: Int, Comparable {
    /// Met before, or has connected to us.
    case met
    /// Announces itself.
    case announced
    /// The user has written it down.
    case configured

    static func < (left: Source, right: Source) -> Bool { left.rawValue < right.rawValue }
  }

  private struct Candidate {
    var source: Source
    var failures = 0
    var retry: Scheduled<Void>?
    /// The same server is connected at another address.
    var twin: Server?
  }

  /// One server of one machine. The instance alone is readable by everybody, and may be claimed by anybody.
  private struct Server: Equatable {
    let identifier: PeerIdentifier
    let instance: String

    init(_ peer: Introduction) {
      identifier = peer.identifier
      instance = peer.instance
    }
  }

  /// Addresses that are dialled or waited for.
  private static let candidateLimit = 256
  /// Servers that are connected or being dialled.
  private static let linkLimit = 64
  /// After so many failures an address where somebody was met once is forgotten.
  private static let patience = 5
  private static let firstPause = TimeAmount.milliseconds(500)
  private static let longestPause = TimeAmount.seconds(60)
  /// Nothing waits for the first peers longer than this, whatever happens while they are being dialled.
  private static let startPatience = TimeAmount.milliseconds(150)
  /// How long a peer that lied is not talked to.
  private static let banTime = TimeAmount.minutes(60)

  let loop: any EventLoop
  let member: TeamMember
  let connector: PeerConnector
  let index: PeerIndex
  let book: PeerBook
  let storing: BackgroundStoring
  /// Where this machine can be asked; 0 before it listens.
  var listeningPort: UInt16 = 0

  /// Lookups that no tool waited for when they began.
  var ahead: [CacheKey: PeerLookup] = [:]

  private var candidates: [PeerEndpoint: Candidate] = [:]
  private var links: [PeerEndpoint: PeerLink] = [:]
  private var linkBySlot: [PeerIndex.Slot: PeerLink] = [:]
  private var banned: [PeerIdentifier: NIODeadline] = [:]
  private var isEnding = false
  /// Completed when the first peers have said what they hold, or have had their time.
  private var settling: EventLoopPromise<Void>?
  private var isDialled = false
  private let onSettled: @Sendable () -> Void

  init(
    loop: any EventLoop, member: TeamMember, index: PeerIndex, book: PeerBook,
    storing: BackgroundStoring = BackgroundStoring(pool: nil), onSettled: @escaping @Sendable () -> Void
  ) {
    self.loop = loop
    self.member = member
    self.index = index
    self.book = book
    self.storing = storing
    self.onSettled = onSettled
    connector = PeerConnector(loop: loop, member: member)
    settling = loop.makePromise()
    let this = NIOLoopBound(self, eventLoop: loop)
    loop.scheduleTask(in: Self.startPatience) { this.value.endSettling() }
  }

  var allLinks: [PeerLink] { Array(links.values) }

  // MARK: - Addresses

  /// Dials an address, unless that is being done already.
  func add(_ endpoint: PeerEndpoint, source: Source) {
    guard !isEnding else { return }
    if var candidate = candidates[endpoint] {
      candidate.source = max(candidate.source, source)
      candidates[endpoint] = candidate
      // Somebody says that it is there: no need to wait any longer.
      if links[endpoint] == nil, candidate.twin == nil, source == .announced || source == .met {
        candidates[endpoint]?.retry?.cancel()
        dial(endpoint)
      }
      return
    }
    if candidates.count >= Self.candidateLimit {
      guard
        let victim = candidates.first(where: {
          $0.value.source != .configured && links[$0.key]?.peer == nil && $0.value.failures > 0
        })?.key
      else {
        return
      }
      forget(victim)
    }
    candidates[endpoint] = Candidate(source: source)
    dial(endpoint)
  }

  /// An address is not announced any more. A connection to it that stands is left alone.
  func withdraw(_ endpoint: PeerEndpoint) {
    guard candidates[endpoint]?.source == .announced else { return }
    if links[endpoint]?.peer == nil { forget(endpoint) } else { candidates[endpoint]?.source = .met }
  }

  private func forget(_ endpoint: PeerEndpoint) {
    candidates.removeValue(forKey: endpoint)?.retry?.cancel()
    links[endpoint]?.end()
  }

  private func dial(_ endpoint: PeerEndpoint) {
    guard !isEnding, links[endpoint] == nil else { return }
    guard links.count < Self.linkLimit else { return retry(endpoint) }
    let link = PeerLink(endpoint: endpoint, network: self)
    links[endpoint] = link
    linkBySlot[link.slot] = link
    link.start()
  }

  private func retry(_ endpoint: PeerEndpoint) {
    guard !isEnding, var candidate = candidates[endpoint], candidate.twin == nil else { return }
    candidate.failures += 1
    if candidate.source == .met, candidate.failures > Self.patience {
      candidates[endpoint] = nil
      return
    }
    let pause = min(Self.longestPause, Self.firstPause * (1 << min(candidate.failures, 8)))
    let this = NIOLoopBound(self, eventLoop: loop)
    candidate.retry?.cancel()
    candidate.retry = loop.scheduleTask(in: pause) { this.value.dial(endpoint) }
    candidates[endpoint] = candidate
  }

  /// Makes connections to fetch on, and tries once more those that did not answer.
  func warmUp() {
    for link in links.values { link.warmUp() }
    for (endpoint, candidate) in candidates where links[endpoint] == nil && candidate.twin == nil {
      candidate.retry?.cancel()
      dial(endpoint)
    }
  }

  // MARK: - Links

  /// Whether a peer that has introduced itself is to be kept: not when it is connected at another address already.
  func accept(_ link: PeerLink, _ welcome: PeerClientHandler.Welcome) -> Bool {
    if let end = banned[welcome.peer.identifier], NIODeadline.now() < end { return false }
    let twin = links.values.first { $0 !== link && $0.peer.map(Server.init) == Server(welcome.peer) }
    guard twin == nil else {
      candidates[link.endpoint]?.twin = Server(welcome.peer)
      return false
    }
    candidates[link.endpoint]?.failures = 0
    book.met(welcome.peer, address: link.endpoint.description)
    link.latency.record(welcome.roundTrip)
    link.clockOffset = welcome.clockOffset
    return true
  }

  func ended(_ link: PeerLink, wasConnected: Bool) {
    links[link.endpoint] = nil
    linkBySlot[link.slot] = nil
    if wasConnected, candidates[link.endpoint]?.twin == nil { candidates[link.endpoint]?.failures = 0 }
    retry(link.endpoint)
    // Its other addresses may still be good.
    for (endpoint, candidate) in candidates {
      guard let twin = candidate.twin, !links.values.contains(where: { $0.peer.map(Server.init) == twin }) else {
        continue
      }
      candidates[endpoint]?.twin = nil
      if endpoint != link.endpoint { retry(endpoint) }
    }
  }

  /// A peer has sent what it did not announce: nothing more is taken from it.
  func ban(_ link: PeerLink) {
    guard let peer = link.peer else { return }
    let now = NIODeadline.now()
    banned = banned.filter { $0.value > now }
    banned[peer.identifier] = now + Self.banTime
    for other in links.values where other.peer?.identifier == peer.identifier { other.end() }
  }

  /// Closes everything.
  func end() {
    isEnding = true
    for candidate in candidates.values { candidate.retry?.cancel() }
    candidates = [:]
    for link in links.values { link.end() }
  }

  // MARK: - Settling

  /// Gives the peers that have been dialled so far a moment to say what they hold. Lookups wait for it.
  func beginSettling(within time: TimeAmount) {
    isDialled = true
    settled()
    let this = NIOLoopBound(self, eventLoop: loop)
    loop.scheduleTask(in: time) { this.value.endSettling() }
  }

  /// A link has settled.
  func settled() {
    if isDialled, links.values.allSatisfy(\.isSettled) { endSettling() }
  }

  private func endSettling() {
    guard let promise = settling else { return }
    settling = nil
    onSettled()
    promise.succeed()
  }

  var settlingFuture: EventLoopFuture<Void>? { settling?.futureResult }

  // MARK: - Lookups

  /// The names of the peers that say to hold an entry, whether they may be asked or not.
  func holders(of fingerprint: UInt32) -> String {
    index.holders(of: fingerprint).compactMap { linkBySlot[$0]?.peer?.name }.sorted().joined(separator: ", ")
  }

  /// The peers that say to hold an entry, the best first.
  func candidates(for fingerprint: UInt32) -> [PeerLink] {
    let now = NIODeadline.now()
    return index.holders(of: fingerprint)
      .compactMap { linkBySlot[$0] }
      .filter { $0.mayBeAsked(now: now) }
      .sorted { $0.cost < $1.cost }
  }
}
