import CStoreSupport
import SystemPackage
import SystemSupport

/// Where the store's files lie. The file system is the index: a key leads to one path, so opening a store costs nothing
/// however full it is, and there is no second place that could vouch for data that is gone.
///
///     v1/entries/ab/<hash of scope, namespace and key>        ``EntryRecord``
///     v1/entries/<team>-ab/<hash of scope, namespace and key> the same, of a team's scope
///     v1/blobs/ab/<digest>                               the bytes
///     v1/tmp/                                            what is being written
///     v1/usage                                           ``UsageCounter``; locked while evicting
///     v1/removals                                        ``RemovalLog``
struct StoreLayout: Sendable {
  let root: FilePath
  private let prefix: [UInt8]

  init(directory: FilePath) {
    root = directory.appending("v1")
    prefix = root.bytes
  }

  var usage: FilePath { root.appending("usage") }
  var removals: FilePath { root.appending("removals") }
  var temporary: FilePath { root.appending("tmp") }

  /// The two trees of hashed names.
  enum Tree: String, CaseIterable {
    case entries
    case blobs
  }

  func directory(of tree: Tree) -> FilePath { root.appending(tree.rawValue) }

  /// A path as `open` takes it, with its NUL.
  typealias RawPath = [CChar]

  func entry(_ key: CacheKey, scope: Scope) -> RawPath {
    let hash = Self.hash(of: key, scope: scope)
    let words = (hash.high.bigEndian, hash.low.bigEndian)
    return path(.entries, scope: scope, name: Hex.encodeBytes(withUnsafeBytes(of: words, Array.init)))
  }

  /// What an entry's file is named after. The same on every machine.
  static func hash(of key: CacheKey, scope: Scope) -> fabrik_xxh128 {
    var identity = scope.tag
    identity.append(UInt8(key.namespace.utf8.count))
    identity.append(contentsOf: key.namespace.utf8)
    identity.append(contentsOf: key.bytes)
    return identity.withUnsafeBytes { fabrik_xxh3_128($0.baseAddress, $0.count) }
  }

  func blob(_ digest: Digest) -> RawPath {
    path(.blobs, scope: .private, name: Hex.encodeBytes(digest.bytes))
  }

  /// The directories that hold the entries of one scope. Not all of them need to be there.
  func shards(of scope: Scope) -> [FilePath] {
    (0..<256).map { number in
      let name = scope.shardPrefix + Hex.encodeBytes([UInt8(number)])
      return directory(of: .entries).appending(String(decoding: name, as: UTF8.self))
    }
  }

  func temporary(name: String) -> RawPath {
    (prefix + Array("/tmp/\(name)".utf8) + [0]).map { CChar(bitPattern: $0) }
  }

  private func path(_ tree: Tree, scope: Scope, name: [UInt8]) -> RawPath {
    let parts = [prefix, Array(tree.rawValue.utf8), scope.shardPrefix + name[..<2], name]
    return RawPath(unsafeUninitializedCapacity: parts.reduce(0) { $0 + $1.count + 1 }) { path, count in
      for part in parts {
        for byte in part {
          path[count] = CChar(bitPattern: byte)
          count += 1
        }
        path[count] = CChar(bitPattern: UInt8(ascii: "/"))
        count += 1
      }
      path[count - 1] = 0
    }
  }
}
