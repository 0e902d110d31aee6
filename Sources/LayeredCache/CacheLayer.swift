package import CacheStore
package import ControlProtocol
package import NIOCore

/// A place beyond the local store where an entry may be had.
///
/// A layer gives an entry or none, never an error, and never waits without bound: its deadlines are its own.
package protocol CacheLayer: Sendable {
  var name: CacheLayerName { get }

  /// Whether it is worth asking for this key. Costs no system call, and is called on any thread.
  func mayHold(_ key: CacheKey) -> Bool

  /// While the layer is still finding out what it holds, and that will take only a moment: when it will know. nil at all
  /// other times.
  func settling(on loop: any EventLoop) -> EventLoopFuture<Void>?

  /// Fetches an entry into the local store. Never fails; nil is a miss.
  func fetch(_ key: CacheKey, into store: CacheStore, on loop: any EventLoop) -> EventLoopFuture<FetchedEntry?>
}

/// A peer, as statistics name it.
package struct PeerName: Sendable, Hashable {
  /// Its machine identity.
  package let id: String
  /// As it calls itself.
  package let name: String

  package init(id: String, name: String) {
    self.id = id
    self.name = name
  }
}

/// An entry that a layer has put into the local store.
package struct FetchedEntry: Sendable, Equatable {
  package let layer: CacheLayerName
  /// Identifier and name of the peer it came from.
  package let peer: PeerName?

  package init(layer: CacheLayerName, peer: PeerName? = nil) {
    self.layer = layer
    self.peer = peer
  }
}
