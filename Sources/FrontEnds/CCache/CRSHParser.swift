/// The server's side of ccache's remote storage helper protocol, version 1: bytes in, requests out.
///
/// Source: `doc/remote_storage_helper_spec.md` of ccache 4.13. Integers are in the host's byte order. There is one
/// request at a time, several on a connection.
package struct CRSHParser: Sendable {
  /// What the next bytes mean.
  package enum Event: Equatable, Sendable {
    case get(key: [UInt8])
    case exists(key: [UInt8])
    case remove(key: [UInt8])
    /// A value of `size` bytes follows, as ``body(count:)`` events, then ``putEnd``.
    case putStart(key: [UInt8], overwrite: Bool, size: UInt64)
    /// The first `count` of the bytes presented belong to the value.
    case body(count: Int)
    case putEnd
    case info
    case stop
    /// The connection cannot be understood any further.
    case malformed
  }

  /// Sent when a connection is accepted: version 1; capabilities 0 (get, put, remove), 1 (info), 2 (exists).
  package static let greeting: [UInt8] = [0x01, 3, 0, 1, 2]

  private enum State {
    case request
    case value(remaining: UInt64)
    case ended
  }

  private var state = State.request

  package init() {}

  /// Looks at the bytes that have not been consumed yet. Returns how many to consume, and what they mean; nil when more
  /// bytes are needed first. To be called until it returns nil.
  package mutating func next(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, event: Event)? {
    switch state {
    case .ended: return nil
    case .value(0):
      state = .request
      return (0, .putEnd)
    case .value(let remaining):
      guard !bytes.isEmpty else { return nil }
      let count = Int(min(UInt64(bytes.count), remaining))
      state = .value(remaining: remaining - UInt64(count))
      return (count, .body(count: count))
    case .request:
      return request(bytes)
    }
  }

  private mutating func request(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, event: Event)? {
    guard let opcode = bytes.first else { return nil }
    switch opcode {
    case 0x00: return key(bytes).map { ($0.end, .get(key: $0.key)) }
    case 0x01: return put(bytes)
    case 0x02: return key(bytes).map { ($0.end, .remove(key: $0.key)) }
    case 0x03: return (1, .stop)
    case 0x04: return (1, .info)
    case 0x05: return key(bytes).map { ($0.end, .exists(key: $0.key)) }
    default:
      state = .ended
      return (bytes.count, .malformed)
    }
  }

  /// Opcode, length, key.
  private func key(_ bytes: UnsafeRawBufferPointer) -> (key: [UInt8], end: Int)? {
    guard bytes.count >= 2, bytes.count >= 2 + Int(bytes[1]) else { return nil }
    let end = 2 + Int(bytes[1])
    return (Array(bytes[2..<end]), end)
  }

  /// Opcode, key, flags, length of the value.
  private mutating func put(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, event: Event)? {
    guard let (key, end) = key(bytes), bytes.count >= end + 9 else { return nil }
    let size = bytes.loadUnaligned(fromByteOffset: end + 1, as: UInt64.self)
    state = .value(remaining: size)
    return (end + 9, .putStart(key: key, overwrite: bytes[end] & 1 == 1, size: size))
  }
}

/// Answers of the remote storage helper protocol.
package enum CRSHResponse {
  /// Stored, removed, stopped.
  package static let ok: [UInt8] = [0x00]
  /// Not found, not stored.
  package static let nothing: [UInt8] = [0x01]

  /// Comes before the `size` bytes of a value.
  package static func valueHead(size: UInt64) -> [UInt8] {
    [0x00] + withUnsafeBytes(of: size, Array.init)
  }

  package static func exists(_ exists: Bool) -> [UInt8] {
    [0x00, exists ? 1 : 0]
  }

  /// An answer to `info`: who this is, and lines for ccache's log. Texts are cut at 255 bytes.
  package static func info(identity: String, diagnostics: [String]) -> [UInt8] {
    let lines = diagnostics.prefix(255)
    return message(identity) + [UInt8(lines.count)] + lines.flatMap(message)
  }

  private static func message(_ text: String) -> [UInt8] {
    let bytes = text.utf8.prefix(255)
    return [UInt8(bytes.count)] + bytes
  }
}
