package import ControlProtocol
package import PeerRecords
import Synchronization

/// Decides whether a peer is served: by what the user said to its machine identity. Until there is an explicit yes the
/// answer is no.
///
/// *Once* means a session: from a peer's first fetch until it has made none for ``sessionGap``, or until it has lasted
/// for ``longestSession``. The files of the records are looked at with each request, so that what the user says takes
/// effect at once, whoever wrote it down.
package final class ConsentGate: Sendable {
  package enum Verdict: String, Sendable {
    case allowed
    /// The user has not answered yet.
    case pending
    case denied
  }

  /// Puts the question to the user, in the background; the answer goes into the records. Asked once per session.
  package typealias Question = @Sendable (_ peer: PeerIdentifier, _ name: String, _ address: String) -> Void

  private struct Session {
    /// Milliseconds since 1970.
    var began: UInt64
    var last: UInt64
    var isAsked = false
  }

  /// Milliseconds without a request after which the next one begins a new session.
  static let sessionGap: UInt64 = 600_000
  /// Milliseconds after which a session ends however busy the peer is: more than a working day.
  static let longestSession: UInt64 = 12 * 3_600_000
  /// Sessions that are remembered; beyond it, the one idle for longest is forgotten, and begins anew.
  private static let sessionLimit = 256

  private let mode: ConsentMode
  private let records: PeerRecords
  private let own: PeerIdentifier
  private let now: @Sendable () -> UInt64
  private let ask: Question
  /// Milliseconds since 1970.
  private let started: UInt64
  private let sessions = Mutex<[PeerIdentifier: Session]>([:])

  /// - Parameters:
  ///   - own: this machine, which is always served: another server of the same user asks.
  ///   - now: milliseconds since 1970.
  package init(
    mode: ConsentMode, records: PeerRecords, own: PeerIdentifier, now: @escaping @Sendable () -> UInt64,
    ask: @escaping Question
  ) {
    self.mode = mode
    self.records = records
    self.own = own
    self.now = now
    self.ask = ask
    started = now()
  }

  /// Decides on one request. One system call, as a rule.
  ///
  /// - Parameter isUse: whether something is to be fetched. Peers that are connected ask all the time what there is; that
  ///   does not make a session go on, nor begin a new one.
  package func verdict(on peer: PeerIdentifier, name: String, address: String, isUse: Bool = true) -> Verdict {
    if peer == own { return .allowed }
    let began = isUse ? touch(peer) : 0
    let record = records.consent(of: peer)
    switch (record?.consent, mode) {
    case (.denied, _): return .denied
    case (_, .alwaysAllow): return .allowed
    case (.always, .notifyOnce): return .allowed
    case (.always, _), (.once, _):
      // An answer is for the session that it was given in, or the one that begins right after it. Sessions end with the
      // server.
      if let record, record.since >= started, began <= record.since || began - record.since < Self.sessionGap {
        return .allowed
      }
      // Of an earlier session: the question is open again.
      guard (try? records.setConsent(.pending, of: peer)) != nil else { return .pending }
    case (.pending, _): break
    case (nil, _): guard records.request(peer) else { return .pending }
    }
    if isToBeAsked(peer) { ask(peer, name, address) }
    return .pending
  }

  /// When the peer's session began.
  private func touch(_ peer: PeerIdentifier) -> UInt64 {
    let now = now()
    return sessions.withLock { sessions in
      if var session = sessions[peer], now < session.last + Self.sessionGap,
        now < session.began + Self.longestSession
      {
        session.last = now
        sessions[peer] = session
        return session.began
      }
      makeRoom(&sessions)
      sessions[peer] = Session(began: now, last: now)
      return now
    }
  }

  private func makeRoom(_ sessions: inout [PeerIdentifier: Session]) {
    guard sessions.count >= Self.sessionLimit else { return }
    if let oldest = sessions.min(by: { $0.value.last < $1.value.last }) { sessions[oldest.key] = nil }
  }

  private func isToBeAsked(_ peer: PeerIdentifier) -> Bool {
    let now = now()
    return sessions.withLock { sessions in
      makeRoom(&sessions)
      guard sessions[peer]?.isAsked != true else { return false }
      sessions[peer, default: Session(began: now, last: now)].isAsked = true
      return true
    }
  }
}
