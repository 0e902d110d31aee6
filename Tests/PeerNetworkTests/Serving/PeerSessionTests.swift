import CacheStore
import Cryptography
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("The peer at the other end")
final class PeerSessionTests {
  private static let now: UInt64 = 1_700_000_000_000
  private static let exporter = [UInt8](repeating: 4, count: 32)

  private let client: MachineIdentity
  private let member: TeamMember
  private var session: PeerSession
  private var signature: RequestSignature

  init() throws {
    let keys = try TeamKeys(root: [UInt8](repeating: 5, count: 32))
    client = try MachineIdentity(seed: [UInt8](repeating: 1, count: 32))
    member = try TeamMember(
      keys: keys, identity: MachineIdentity(seed: [UInt8](repeating: 2, count: 32)), name: "server", now: { Self.now })
    session = PeerSession(member: member)
    signature = RequestSignature(key: keys.requestKey, client: client.publicKey, server: [], exporter: Self.exporter)
  }

  private func signed(_ target: PeerTarget, _ fields: [String: String] = [:], time: UInt64 = now)
    -> MessageHead
  {
    var head = MessageHead.request(target.text, fields)
    signature.sign(&head, time: time)
    return head
  }

  private func fields(
    instance: String = "0123456789abcdef", exporter: [UInt8] = exporter
  ) throws -> [String: String] {
    try Introduction.fields(
      of: client, instance: instance, name: "client", port: 7, role: .client, exporter: exporter)
  }

  private func introduce() throws {
    session.established(exporter: Self.exporter)
    guard case .welcome(let peer, let fields) = session.take(signed(.status, try fields())) else {
      Issue.record("not welcome")
      return
    }
    #expect(peer.identifier == client.identifier && peer.port == 7)
    #expect(Introduction(.answer(.ok, fields), role: .server, exporter: Self.exporter)?.name == "server")
    signature = RequestSignature(
      key: member.keys.requestKey, client: client.publicKey, server: member.identity.publicKey,
      exporter: Self.exporter)
  }

  /// How a step refuses; nil when it does not.
  private func refusal(_ step: PeerSession.Step) -> (status: Int?, isLast: Bool)? {
    if case .refuse(let head, let isLast) = step { (head.status, isLast) } else { nil }
  }

  private func endsConnection(_ step: PeerSession.Step, with status: Int = 401) -> Bool {
    refusal(step).map { $0.status == status && $0.isLast } ?? false
  }

  @Test("says and proves who it is, and is served then")
  func sound() throws {
    try introduce()
    let key = CacheKey(test: 1)
    for target in [PeerTarget.entry(key), .summary(since: nil), .status] {
      guard case .serve(target, let peer) = session.take(signed(target)) else {
        Issue.record("\(target) is not served")
        continue
      }
      #expect(peer.identifier == client.identifier)
    }
  }

  @Test("is not served before")
  func unknown() throws {
    #expect(endsConnection(session.take(signed(.status, try fields()))), "before the channel stands")
    session.established(exporter: Self.exporter)
    #expect(endsConnection(session.take(signed(.summary(since: nil), try fields()))))
    #expect(endsConnection(session.take(signed(.status))))
    #expect(endsConnection(session.take(.request("/v1/status", try fields()))), "without a signature")
    #expect(endsConnection(session.take(signed(.status, try fields(instance: member.instance)))), "this server")
    #expect(
      endsConnection(session.take(signed(.status, try fields(exporter: [UInt8](repeating: 9, count: 32))))),
      "of another channel")
  }

  @Test("whose clock is off is told the time, and goes on")
  func skewed() throws {
    session.established(exporter: Self.exporter)
    guard case .refuse(let head, isLast: false) = session.take(signed(.status, try fields(), time: 5)) else {
      Issue.record("not told the time")
      return
    }
    #expect(head.status == 401 && head[RequestSignature.timeField] == "\(Self.now)")
    try introduce()
    #expect(refusal(session.take(signed(.status, time: 5)))?.isLast == false)
    guard case .serve = session.take(signed(.status)) else {
      Issue.record("not served")
      return
    }
  }

  @Test("may ask each question once, and only what there is to ask")
  func replayed() throws {
    try introduce()
    let head = signed(.status)
    guard case .serve = session.take(head) else {
      Issue.record("not served")
      return
    }
    #expect(endsConnection(session.take(head)))
    var changed = signed(.summary(since: nil))
    changed.startLine = MessageHead.request(PeerTarget.status.text).startLine
    #expect(endsConnection(session.take(changed)))
    #expect(endsConnection(session.take(.request("/v2/status")), with: 400))
  }
}
