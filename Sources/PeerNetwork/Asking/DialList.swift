import NIOCore
import PeerRecords

/// Which addresses are dialled, when again, and which of them lead to one and the same server. Connections and timers are
/// its owner's.
struct DialList {
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

  /// One server of one machine. The instance alone is readable by everybody, and may be claimed by anybody.
  struct Server: Equatable {
    let identifier: PeerIdentifier
    let instance: String

    init(_ peer: Introduction) {
      identifier = peer.identifier
      instance = peer.instance
    }
  }

  enum Step: Equatable {
    /// A connection is to be opened; its end must be told by ``DialList/ended(_:)``.
    case dial
    /// ``DialList/due(_:)`` is to be asked after this time.
    case wait(TimeAmount)
    /// Nothing.
    case leave
  }

  private enum State: Equatable {
    case idle
    case dialled
    case connected(Server)
    /// The same server is connected at another address.
    case twin(Server)
  }

  private struct Candidate {
    var source: Source
    /// Nothing but announcements speaks for it: anybody can make those.
    var isHearsay: Bool
    var failures = 0
    var state = State.idle

    var isOpen: Bool {
      switch state {
      case .dialled, .connected: true
      case .idle, .twin: false
      }
    }

    var isConnected: Bool { if case .connected = state { true } else { false } }
  }

  /// Addresses that are dialled or waited for.
  static let limit = 256
  /// Servers that are connected or being dialled.
  static let mostOpen = 64
  /// Of these, such as are known from announcements alone and have not answered yet: they must not keep those away that
  /// are known.
  static let mostHearsay = 32
  /// After so many failures an address where somebody was met once is forgotten.
  static let patience = 5
  private static let firstPause = TimeAmount.milliseconds(500)
  private static let longestPause = TimeAmount.seconds(60)

  private var candidates: [PeerEndpoint: Candidate] = [:]

  var count: Int { candidates.count }

  /// Forgets an address if there is no room for another, and says which; an attempt to connect to it is to be given up. One
  /// that is known takes the place of any that nothing but announcements speaks for; an announcement that of such as have
  /// failed.
  mutating func makeRoom(for endpoint: PeerEndpoint, source: Source) -> PeerEndpoint? {
    guard candidates[endpoint] == nil, candidates.count >= Self.limit else { return nil }
    let isKnown = source != .announced
    let hearsay = candidates.first {
      $0.value.isHearsay && !$0.value.isConnected && (isKnown || $0.value.failures > 0)
    }
    let away = candidates.first {
      isKnown && $0.value.source != .configured && !$0.value.isConnected && $0.value.failures > 0
    }
    return (hearsay ?? away).map { victim in
      candidates[victim.key] = nil
      return victim.key
    }
  }

  /// Somebody may be there; see ``makeRoom(for:)``.
  ///
  /// - Returns: nil: what has been planned stays.
  mutating func add(_ endpoint: PeerEndpoint, source: Source) -> Step? {
    if var candidate = candidates[endpoint] {
      candidate.source = max(candidate.source, source)
      candidate.isHearsay = candidate.isHearsay && source == .announced
      candidates[endpoint] = candidate
      // Somebody says that it is there: no need to wait any longer.
      return candidate.state == .idle && source != .configured ? due(endpoint) : nil
    }
    guard candidates.count < Self.limit else { return nil }
    candidates[endpoint] = Candidate(source: source, isHearsay: source == .announced)
    return due(endpoint)
  }

  /// What to do about an address now.
  mutating func due(_ endpoint: PeerEndpoint) -> Step {
    guard let candidate = candidates[endpoint], candidate.state == .idle else { return .leave }
    let open = candidates.values.filter(\.isOpen)
    guard open.count < Self.mostOpen,
      !candidate.isHearsay || open.count(where: { $0.isHearsay && !$0.isConnected }) < Self.mostHearsay
    else {
      // It has not failed: nobody has tried it.
      return .wait(Self.pause(candidate.failures))
    }
    candidates[endpoint]?.state = .dialled
    return .dial
  }

  /// An address is not announced any more. A connection to it that stands is left alone.
  ///
  /// - Returns: whether it is forgotten, and an attempt to connect is to be given up.
  mutating func withdraw(_ endpoint: PeerEndpoint) -> Bool {
    guard let candidate = candidates[endpoint], candidate.source == .announced else { return false }
    if candidate.isConnected {
      candidates[endpoint]?.source = .met
      return false
    }
    candidates[endpoint] = nil
    return true
  }

  /// Those of this machine that are announced.
  var announcedLocal: [PeerEndpoint] {
    candidates.filter { $0.key.isLocal && $0.value.source == .announced }.map(\.key)
  }

  /// Those that are neither connected nor being dialled, and could be.
  var idle: [PeerEndpoint] { candidates.filter { $0.value.state == .idle }.map(\.key) }

  /// Somebody has answered and proven who it is.
  ///
  /// - Returns: false: that server is connected at another address, and this connection is to be ended.
  mutating func connected(_ endpoint: PeerEndpoint, to server: Server) -> Bool {
    guard !candidates.contains(where: { $0.key != endpoint && $0.value.state == .connected(server) }) else {
      candidates[endpoint]?.state = .twin(server)
      return false
    }
    candidates[endpoint]?.state = .connected(server)
    candidates[endpoint]?.failures = 0
    candidates[endpoint]?.isHearsay = false
    return true
  }

  /// A connection has ended, or none came about.
  ///
  /// - Returns: what is to be dialled again, and after what time: also other addresses of the same server.
  mutating func ended(_ endpoint: PeerEndpoint) -> [(PeerEndpoint, TimeAmount)] {
    var again: [PeerEndpoint] = []
    let state = candidates[endpoint]?.state
    switch state {
    case .dialled, .connected:
      candidates[endpoint]?.state = .idle
      again.append(endpoint)
    case .idle, .twin, nil: break
    }
    let connected = candidates.values.map(\.state).filter { if case .connected = $0 { true } else { false } }
    for (other, candidate) in candidates {
      guard case .twin(let server) = candidate.state, !connected.contains(.connected(server)) else { continue }
      candidates[other]?.state = .idle
      again.append(other)
    }
    return again.compactMap { endpoint in failed(endpoint).map { (endpoint, $0) } }
  }

  /// - Returns: when to dial it again; nil: it is forgotten.
  private mutating func failed(_ endpoint: PeerEndpoint) -> TimeAmount? {
    guard var candidate = candidates[endpoint] else { return nil }
    candidate.failures += 1
    guard candidate.source != .met || candidate.failures <= Self.patience else {
      candidates[endpoint] = nil
      return nil
    }
    candidates[endpoint] = candidate
    return Self.pause(candidate.failures)
  }

  private static func pause(_ failures: Int) -> TimeAmount {
    min(longestPause, firstPause * (1 << min(failures, 8)))
  }
}
