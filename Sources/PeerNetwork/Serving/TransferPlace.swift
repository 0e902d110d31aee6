import ChannelSupport
import PeerRecords

/// A place for one body on its way to a peer.
struct TransferPlace: Sendable {
  private let service: PeerService
  private let peer: PeerIdentifier
  private let delaysEnd: Bool

  /// nil when too many are taken. Otherwise ``end()`` must follow.
  ///
  /// - Parameter delaysEnd: whether the server is not to end in the middle of it.
  init?(_ service: PeerService, for peer: PeerIdentifier, delaysEnd: Bool) {
    guard service.limits.beginTransfer(for: peer) else { return nil }
    self.service = service
    self.peer = peer
    self.delaysEnd = delaysEnd
    if delaysEnd { service.transfers.begin() }
  }

  func end() {
    if delaysEnd { service.transfers.end() }
    service.limits.endTransfer(for: peer)
  }
}
