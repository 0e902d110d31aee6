import CacheStore
import LayeredCache
import NIOCore
import PeerRecords

/// All peers that this machine is connected to or tries to reach. To be used on its event loop only.
final class PeerDirectory {
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

  private var list = DialList()
  /// When an address is to be dialled again.
  private var timers: [PeerEndpoint: Scheduled<Void>] = [:]
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
  func add(_ endpoint: PeerEndpoint, source: DialList.Source) {
    guard !isEnding else { return }
    if let victim = list.makeRoom(for: endpoint, source: source) { drop(victim) }
    if let step = list.add(endpoint, source: source) { take(step, endpoint) }
  }

  /// An address is not announced any more. A connection to it that stands is left alone.
  func withdraw(_ endpoint: PeerEndpoint) {
    if list.withdraw(endpoint) { drop(endpoint) }
  }

  /// The servers that there are now on this machine.
  ///
  /// - Parameter isComplete: whether those that are not among them have gone.
  func setLocal(_ present: [PeerEndpoint], isComplete: Bool) {
    if isComplete {
      for endpoint in list.announcedLocal where !present.contains(endpoint) { withdraw(endpoint) }
    }
    for endpoint in present { add(endpoint, source: .announced) }
  }

  /// How many addresses are known.
  var addressCount: Int { list.count }

  /// Gives up what is being done about an address that has been forgotten.
  private func drop(_ endpoint: PeerEndpoint) {
    timers.removeValue(forKey: endpoint)?.cancel()
    links[endpoint]?.end()
  }

  private func take(_ step: DialList.Step, _ endpoint: PeerEndpoint) {
    switch step {
    case .dial: dial(endpoint)
    case .wait(let pause): wait(pause, endpoint)
    case .leave: break
    }
  }

  private func dial(_ endpoint: PeerEndpoint) {
    timers.removeValue(forKey: endpoint)?.cancel()
    let link = PeerLink(endpoint: endpoint, directory: self)
    links[endpoint] = link
    linkBySlot[link.slot] = link
    link.start()
  }

  private func wait(_ pause: TimeAmount, _ endpoint: PeerEndpoint) {
    timers[endpoint]?.cancel()
    let this = NIOLoopBound(self, eventLoop: loop)
    timers[endpoint] = loop.scheduleTask(in: pause) { this.value.turn(endpoint) }
  }

  /// An address's time has come.
  private func turn(_ endpoint: PeerEndpoint) {
    timers[endpoint] = nil
    if !isEnding { take(list.due(endpoint), endpoint) }
  }

  /// Makes connections to fetch on, and tries once more those that did not answer.
  func warmUp() {
    guard !isEnding else { return }
    for link in links.values { link.warmUp() }
    for endpoint in list.idle { take(list.due(endpoint), endpoint) }
  }

  // MARK: - Links

  /// Whether a peer that has introduced itself is to be kept: not when it is connected at another address already.
  func accept(_ link: PeerLink, _ welcome: PeerClientHandler.Welcome) -> Bool {
    if let end = banned[welcome.peer.identifier], NIODeadline.now() < end { return false }
    guard list.connected(link.endpoint, to: DialList.Server(welcome.peer)) else { return false }
    book.met(welcome.peer, address: link.endpoint.description)
    link.latency.record(welcome.roundTrip)
    link.clockOffset = welcome.clockOffset
    return true
  }

  func ended(_ link: PeerLink) {
    links[link.endpoint] = nil
    linkBySlot[link.slot] = nil
    guard !isEnding else { return }
    // Its other addresses may still be good.
    for (endpoint, pause) in list.ended(link.endpoint) { wait(pause, endpoint) }
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
    for timer in timers.values { timer.cancel() }
    timers = [:]
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
