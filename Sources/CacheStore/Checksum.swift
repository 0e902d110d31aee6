import CStoreSupport

/// XXH3-128 (github.com/Cyan4973/xxHash): finds damage at memory speed. It does not resist forgery; that is the
/// digest's part.
package struct Checksum: Sendable, Hashable {
  let low: UInt64
  let high: UInt64

  init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  package init(of bytes: UnsafeRawBufferPointer) {
    self.init(fabrik_xxh3_128(bytes.baseAddress, bytes.count))
  }

  fileprivate init(_ hash: fabrik_xxh128) {
    self.init(low: hash.low, high: hash.high)
  }

  /// A checksum of bytes that come in pieces.
  package final class Stream {
    private let state: UnsafeMutableRawPointer

    package init() {
      guard let state = fabrik_xxh3_create() else { preconditionFailure("no memory for 576 bytes") }
      self.state = state
    }

    deinit { fabrik_xxh3_free(state) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
      fabrik_xxh3_update(state, bytes.baseAddress, bytes.count)
    }

    /// The checksum of all bytes so far.
    package var value: Checksum { Checksum(fabrik_xxh3_digest(state)) }
  }
}
