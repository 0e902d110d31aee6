import Cryptography

/// Who is at the other end of a connection, and whether a request is its own.
struct PeerSession {
  enum Step {
    /// It has proven who it is; with these fields the answer proves who answers.
    case welcome(Introduction, fields: [String: String])
    case serve(PeerTarget, Introduction)
    /// - isLast: the connection ends with this answer.
    case refuse(MessageHead, isLast: Bool)
  }

  private enum State {
    case handshaking
    /// The channel stands; the peer has to say who it is.
    case unknown(exporter: [UInt8])
    case known(Introduction)
  }

  private let member: TeamMember
  private var state = State.handshaking
  private var signature: RequestSignature?

  init(member: TeamMember) {
    self.member = member
  }

  mutating func established(exporter: [UInt8]) {
    state = .unknown(exporter: exporter)
  }

  mutating func take(_ head: MessageHead) -> Step {
    guard let target = head.target.flatMap(PeerTarget.init) else { return .refuse(.answer(.malformed), isLast: true) }
    switch (state, target) {
    case (.unknown(let exporter), .status): return introduce(head, exporter: exporter)
    case (.unknown, _), (.handshaking, _): return Self.impostor
    case (.known(let peer), _): return check(head) ?? .serve(target, peer)
    }
  }

  private static let impostor = Step.refuse(.answer(.unauthenticated), isLast: true)

  /// Checks the signature: a wrong one ends the connection; a wrong clock is told ours.
  ///
  /// - Returns: nil when it is right.
  private mutating func check(_ head: MessageHead) -> Step? {
    guard var checked = signature else { return Self.impostor }
    defer { signature = checked }
    do throws(RequestSignature.Refusal) {
      try checked.verify(head, now: member.now())
      return nil
    } catch {
      return error == .skewed ? .refuse(.answer(.unauthenticated, member.timeFields), isLast: false) : Self.impostor
    }
  }

  private mutating func introduce(_ head: MessageHead, exporter: [UInt8]) -> Step {
    guard let peer = Introduction(head, role: .client, exporter: exporter), peer.instance != member.instance else {
      return Self.impostor
    }
    let key = member.keys.requestKey
    if signature == nil {
      signature = RequestSignature(key: key, client: peer.publicKey, server: [], exporter: exporter)
    }
    if let refusal = check(head) { return refusal }
    let fields = try? Introduction.fields(
      of: member.identity, instance: member.instance, name: member.name, port: 0, role: .server, exporter: exporter)
    guard let fields else { return Self.impostor }
    state = .known(peer)
    signature = RequestSignature(
      key: key, client: peer.publicKey, server: member.identity.publicKey, exporter: exporter)
    return .welcome(peer, fields: fields)
  }
}
