package import CacheStore
import SystemSupport

/// What the plugin in Swift's and Clang's compilers and the server say to each other on `cas.sock`.
///
/// Each message is a frame: the length of what follows (4 bytes), its kind (1 byte), and its fields; integers are
/// little endian. A connection has one question under way, and is answered in order. Bodies larger than a few kilobytes
/// do not travel: they are files in the plugin's working directory, or in the store.
///
///     1 hello   version (1), length (1), lease, working directory: the rest  -> 1 ready   version (1)
///     2 get     action (32)                                                  -> 2 hit     see below
///                                                                            or 3 miss
///     3 put     action (32), body of a ``CompilerAction``: the rest          -> nothing
///     4 object  digest (32)                                                  -> 4 object  path: the rest
///                                                                            or 3 miss
///     5 used    action (32), bytes (8)                                       -> nothing
///                                                                               5 working, before an answer that takes long
///
/// A hit is the length of the body (4), the body of the ``CompilerAction``, and for each of its separate objects, in
/// their order, the length of a path (2) and the path of a file.
package enum CompilerCacheLink {
  /// Of this protocol. Both ends are of one installation; another one is not spoken to.
  package static let version: UInt8 = 2

  /// Bytes that may follow a frame's length. The longest is a hit: half a megabyte, with the largest action and the
  /// paths of 64 objects.
  package static let longestFrame = 1 << 20

  /// Bytes of an action's identifier and of a digest.
  static let identifierLength = 32

  package enum Request: Equatable, Sendable {
    /// The first message. `lease`: of the build, empty when it is not known; `directory`: the absolute path of the
    /// working directory.
    case hello(lease: String, directory: [UInt8])
    case get(action: [UInt8])
    /// `body`: of a ``CompilerAction``, not checked yet.
    case put(action: [UInt8], body: [UInt8])
    case object(Digest)
    /// The plugin has found an action in its working directory; `bytes`: of it and of its separate objects.
    case used(action: [UInt8], bytes: UInt64)
  }

  package enum Reply: Equatable, Sendable {
    case ready
    case hit(body: [UInt8], paths: [[UInt8]])
    case miss
    case object(path: [UInt8])
    case working
  }

  package static let actionNamespace = "swift-ac"
  package static let objectNamespace = "swift-cas"

  /// The key of an action.
  package static func key(ofAction action: [UInt8]) -> CacheKey? {
    CacheKey(namespace: actionNamespace, bytes: action)
  }

  /// The key of an object that is an entry of its own.
  package static func key(ofObject digest: Digest) -> CacheKey? {
    CacheKey(namespace: objectNamespace, bytes: digest.bytes)
  }
}

extension LinkFrame {
  fileprivate mutating func identifier() -> [UInt8]? { bytes(CompilerCacheLink.identifierLength) }

  fileprivate mutating func isVersion() -> Bool { bytes(1) == [CompilerCacheLink.version] }
}

extension CompilerCacheLink.Request: LinkMessage {
  package static var longestFrame: Int { CompilerCacheLink.longestFrame }

  /// - Precondition: the lease is shorter than 256 bytes, and the frame not too long.
  package var encoded: [UInt8] {
    switch self {
    case .hello(let lease, let directory):
      Self.encode(
        1, [CompilerCacheLink.version, UInt8(lease.utf8.count)], Array(lease.utf8), directory)
    case .get(let action): Self.encode(2, action)
    case .put(let action, let body): Self.encode(3, action, body)
    case .object(let digest): Self.encode(4, digest.bytes)
    case .used(let action, let bytes): Self.encode(5, action, LinkFrame.number(bytes))
    }
  }

  package init?(frame: inout LinkFrame) {
    switch frame.kind {
    case 1:
      guard frame.isVersion(), let length = frame.number(UInt8.self), let lease = frame.bytes(Int(length)) else {
        return nil
      }
      let directory = frame.rest()
      guard directory.first == UInt8(ascii: "/"), !directory.contains(0) else { return nil }
      self = .hello(lease: String(decoding: lease, as: UTF8.self), directory: directory)
    case 2:
      guard let action = frame.identifier() else { return nil }
      self = .get(action: action)
    case 3:
      guard let action = frame.identifier() else { return nil }
      self = .put(action: action, body: frame.rest())
    case 4:
      guard let digest = frame.identifier() else { return nil }
      self = .object(Digest(bytes: digest))
    case 5:
      guard let action = frame.identifier(), let bytes = frame.number(UInt64.self) else { return nil }
      self = .used(action: action, bytes: bytes)
    default: return nil
    }
  }
}

extension CompilerCacheLink.Reply: LinkMessage {
  package static var longestFrame: Int { CompilerCacheLink.longestFrame }

  /// - Precondition: paths are shorter than 64 KiB, and the frame is not too long.
  package var encoded: [UInt8] {
    switch self {
    case .ready: return Self.encode(1, [CompilerCacheLink.version])
    case .hit(let body, let paths):
      var files: [UInt8] = []
      for path in paths {
        files.append(littleEndian: UInt16(path.count))
        files += path
      }
      return Self.encode(2, LinkFrame.number(UInt32(body.count)), body, files)
    case .miss: return Self.encode(3)
    case .object(let path): return Self.encode(4, path)
    case .working: return Self.encode(5)
    }
  }

  package init?(frame: inout LinkFrame) {
    switch frame.kind {
    case 1:
      guard frame.isVersion() else { return nil }
      self = .ready
    case 2:
      guard let length = frame.number(UInt32.self), let body = frame.bytes(Int(length)) else { return nil }
      var paths: [[UInt8]] = []
      while let length = frame.number(UInt16.self) {
        guard let path = frame.bytes(Int(length)) else { return nil }
        paths.append(path)
      }
      self = .hit(body: body, paths: paths)
    case 3: self = .miss
    case 4: self = .object(path: frame.rest())
    case 5: self = .working
    default: return nil
    }
  }
}
