import COpenSSL
package import CacheStore
package import SystemPackage
import SystemSupport

/// What a team's secret is turned into. Whoever has the secret is of the team; from none of the keys can the secret or
/// another key be told.
///
/// `root = scrypt(secret)` makes each guess at a secret cost a tenth of a second and 32 MiB; all keys that are visible
/// in some form on the network come from it by HKDF-Expand (RFC 5869) with a label. The scope's tag stays on this
/// machine's disk, in files only the user can read, and is needed before the first lookup, so it comes from the secret
/// directly.
package struct TeamKeys: Sendable {
  /// The external pre-shared key of TLS 1.3.
  package let channelKey: [UInt8]
  /// Signs requests.
  package let requestKey: [UInt8]
  /// Seals what goes to stores that others can write to.
  package let sealingKey: [UInt8]
  /// Sets the team's objects in a store apart from others': sixteen digits that tell nothing of the secret but to those
  /// who try it out, at the price of scrypt for each.
  package let storeTag: String
  /// Makes the tag under which services of this team are found.
  private let announcementKey: [UInt8]

  /// scrypt's cost: 2^15 · 8 · 128 bytes = 32 MiB, about 100 ms (RFC 7914).
  private static let scryptCost: (n: UInt64, r: UInt64, p: UInt64) = (1 << 15, 8, 1)
  private static let salt = Array("fabrik team 1".utf8)

  /// The scope of the team's entries. Takes microseconds.
  package static func scope(secret: String) -> Scope? {
    OpenSSL.authenticate(Array("fabrik scope 1".utf8), key: Array(secret.utf8))
      .map { Scope(tag: Array($0.prefix(Scope.tagLength))) }
  }

  /// Where roots are kept, below `$XDG_DATA_HOME/fabrik`.
  package static func directory(in dataDirectory: FilePath) -> FilePath { dataDirectory.appending("teams") }

  /// Whether ``init(secret:directory:)`` will take no time.
  package static func areKept(secret: String, directory: FilePath) -> Bool {
    scope(secret: secret).map { FileSystem.exists(directory.appending(Hex.encode($0.tag))) } ?? false
  }

  /// Derives the keys. Blocks for about 100 ms, unless the root is found in `directory`.
  ///
  /// - Parameter directory: keeps the root between runs, in a file only this user can read, named by the team's scope.
  package init(secret: String, directory: FilePath) throws {
    guard let scope = Self.scope(secret: secret) else { throw OpenSSLFailure("HMAC") }
    let file = directory.appending(Hex.encode(scope.tag))
    if let kept = SmallFile.read(file).flatMap({ Hex.decode(Array($0.utf8.prefix(64))) }), kept.count == 32 {
      try self.init(root: kept)
      return
    }
    let root = try Self.root(secret: secret)
    // To keep it only saves time.
    try? FileSystem.makeDirectories(directory, permissions: 0o700)
    try? SmallFile.replace(file, with: Hex.encode(root) + "\n")
    try self.init(root: root)
  }

  /// - Parameter root: 32 bytes.
  package init(root: [UInt8]) throws {
    func derive(_ label: String) throws -> [UInt8] {
      // One block of HKDF-Expand: HMAC(root, info || 1).
      guard let key = OpenSSL.authenticate(Array(label.utf8) + [1], key: root) else { throw OpenSSLFailure("HMAC") }
      return key
    }
    channelKey = try derive("fabrik tls13 psk 1")
    requestKey = try derive("fabrik request 1")
    announcementKey = try derive("fabrik announcement 1")
    sealingKey = try derive("fabrik seal 1")
    storeTag = Hex.encode(Array(try derive("fabrik store 1").prefix(8)))
  }

  package static func root(secret: String) throws -> [UInt8] {
    var root = [UInt8](repeating: 0, count: 32)
    let (n, r, p) = scryptCost
    let password = secret.utf8.map { CChar(bitPattern: $0) }
    guard
      EVP_PBE_scrypt_ex(
        password, password.count, salt, salt.count, n, r, p, 64 << 20, &root, root.count, OpenSSL.library, nil) == 1
    else { throw OpenSSLFailure("scrypt") }
    return root
  }

  /// What the team's services are marked with on one day: strangers cannot tell which team it is, nor, by the tag alone,
  /// recognise it on another day.
  ///
  /// - Parameter day: days since 1970.
  package func announcementTag(day: UInt64) -> String {
    let message = withUnsafeBytes(of: day.bigEndian, Array.init)
    return Hex.encode(Array((OpenSSL.authenticate(message, key: announcementKey) ?? []).prefix(8)))
  }

  /// The tags that are this team's on one day, by clocks that may be a day off.
  package func announcementTags(around day: UInt64) -> Set<String> {
    Set((day == 0 ? 0...1 : day - 1...day + 1).map { announcementTag(day: $0) })
  }
}
