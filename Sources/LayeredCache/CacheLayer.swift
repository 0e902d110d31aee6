package import CacheStore
package import ControlProtocol
package import NIOCore

/// A place beyond the local store where an entry may be had.
///
/// A layer gives an entry or none, never an error, and never waits without bound: its deadlines are its own.
package protocol CacheLayer: Sendable {
  var name: CacheLayerName { get }

  /// Tells it from others of the same name.
  var identifier: LayerIdentifier { get }

  /// Whether it is worth asking for this key. Costs no system call, and is called on any thread.
  func mayHold(_ key: CacheKey) -> Bool

  /// The upstream's URL; empty for other layers.
  var place: String { get }

  /// Why ``mayHold(_:)`` says no. As cheap, and called on any thread.
  func reasonNotToAsk(_ key: CacheKey) -> LayerOutcome

  /// Whether it is still finding out what it holds, and that will take only a moment. As cheap, and called on any
  /// thread.
  var isSettling: Bool { get }

  /// While ``isSettling``, when it will know what it holds; nil at all other times.
  func settling(on loop: any EventLoop) -> EventLoopFuture<Void>?

  /// Fetches an entry into the local store, which the layer knows. Never fails.
  ///
  /// - Parameter patience: how long the build may still wait; what comes later is stored all the same. Layers whose
  ///   answers take no longer anyway need not look at it.
  func fetch(
    _ key: CacheKey, urgency: FetchUrgency, within patience: TimeAmount, on loop: any EventLoop
  ) -> EventLoopFuture<LayerAnswer>

  /// A tool has begun to wait for a key that is being fetched as a ``FetchUrgency/prefetch``. Called on any thread.
  func expedite(_ key: CacheKey)
}

/// One layer of a cache: there may be two regional stores, and what one costs is not the other's fault.
package struct LayerIdentifier: Sendable, Hashable {
  package let name: CacheLayerName
  /// Its place among those of its name.
  package let number: Int

  package init(_ name: CacheLayerName, number: Int = 0) {
    self.name = name
    self.number = number
  }

  package static let peers = LayerIdentifier(.peers)
  package static let regional = LayerIdentifier(.regional)
  package static let s3 = LayerIdentifier(.s3)
}

/// What a layer answers.
package enum LayerAnswer: Sendable, Equatable {
  case entry(FetchedEntry)
  /// Why it gives nothing.
  case nothing(LayerOutcome)

  package var entry: FetchedEntry? { if case .entry(let entry) = self { entry } else { nil } }

  package var outcome: LayerOutcome {
    switch self {
    case .entry(let entry): LayerOutcome(.hit, detail: entry.peer?.name ?? "")
    case .nothing(let outcome): outcome
    }
  }
}

extension CacheLayer {
  package var place: String { "" }

  package var identifier: LayerIdentifier { LayerIdentifier(name) }

  package func expedite(_ key: CacheKey) {}
}

/// Why an entry is fetched.
package enum FetchUrgency: Sendable {
  /// A tool waits for it.
  case tool
  /// A tool may ask for it soon. It must not hold up what tools wait for.
  case prefetch
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
  /// The peer it came from.
  package let peer: PeerName?
  /// Bytes of the body.
  package let size: UInt64
  /// Milliseconds that the tool once took to make it; nil when not known.
  package let duration: UInt32?
  /// The body, checked, if it is small: it need not be read again from where it was just written.
  package let body: ByteBuffer?
  /// When it is in the local store, or failed to be stored; never fails. nil: it is there already.
  package let stored: EventLoopFuture<Void>?

  /// Up to this size, in bytes, a layer should hand over the body.
  package static let bodyLimit = 1 << 16

  package init(
    layer: CacheLayerName, peer: PeerName? = nil, size: UInt64, duration: UInt32?, body: ByteBuffer? = nil,
    stored: EventLoopFuture<Void>? = nil
  ) {
    self.layer = layer
    self.peer = peer
    self.size = size
    self.duration = duration
    self.body = body
    self.stored = stored
  }
}

/// An entry that has come into the local store.
package struct StoreEvent: Sendable, Equatable {
  package let key: CacheKey
  /// The layer it was fetched from; nil: a tool made it.
  package let source: CacheLayerName?
  /// Layers that the build it was made by does without.
  package let excluded: Set<CacheLayerName>

  package init(key: CacheKey, source: CacheLayerName? = nil, excluded: Set<CacheLayerName> = []) {
    self.key = key
    self.source = source
    self.excluded = excluded
  }
}
