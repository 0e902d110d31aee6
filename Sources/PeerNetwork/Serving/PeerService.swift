import CacheStore
import ChannelSupport
import NIOCore
import PeerRecords

/// What the connections of all peers that ask this machine share.
final class PeerService: Sendable {
  let member: TeamMember
  let store: CacheStore
  let summary: OwnSummary
  let consent: ConsentGate
  let limits = ServingLimits()
  let connections = OpenChannels()
  /// Bodies on their way out: the server does not end in the middle of one.
  let transfers: ActivityCount
  let book: PeerBook
  /// Tells that a machine has connected that may itself be asked, at its host and this port.
  let onIntroduction: @Sendable (Introduction, SocketAddress?) -> Void

  init(
    member: TeamMember, store: CacheStore, summary: OwnSummary, consent: ConsentGate, transfers: ActivityCount,
    book: PeerBook, onIntroduction: @escaping @Sendable (Introduction, SocketAddress?) -> Void
  ) {
    self.member = member
    self.store = store
    self.summary = summary
    self.consent = consent
    self.transfers = transfers
    self.book = book
    self.onIntroduction = onIntroduction
  }

  /// Whether a peer is to be served; see ``ConsentGate/verdict(on:name:address:isUse:)``.
  func verdict(on peer: Introduction, at address: String, isUse: Bool = false) -> ConsentGate.Verdict {
    consent.verdict(on: peer.identifier, name: peer.name, address: address, isUse: isUse)
  }
}
