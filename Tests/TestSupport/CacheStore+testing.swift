package import CacheStore

extension CacheKey {
  /// A key of the namespace `test`.
  package init(test number: some FixedWidthInteger) {
    self.init(namespace: "test", bytes: withUnsafeBytes(of: UInt64(number).bigEndian, Array.init))!
  }
}

extension CacheStore {
  /// Stores a body that comes in one piece.
  @discardableResult
  package func put(
    _ key: CacheKey, _ body: [UInt8], duration: UInt32? = nil, origin: String = "", mode: EntryWriter.Mode = .replace
  ) -> EntryWriter.Outcome {
    put(key, pieces: [body[...]], duration: duration, origin: origin, mode: mode)
  }

  /// Stores a body that comes in several pieces.
  package func put(
    _ key: CacheKey, pieces: [ArraySlice<UInt8>], duration: UInt32? = nil, origin: String = "",
    mode: EntryWriter.Mode = .replace
  ) -> EntryWriter.Outcome {
    let writer = makeWriter(key: key, digest: SHA256Digest())
    for piece in pieces { piece.withUnsafeBytes { writer.write($0) } }
    return writer.commit(duration: duration, origin: origin, mode: mode)
  }

  /// The body of a key; nil when it is a miss, or damaged.
  package func body(_ key: CacheKey) -> [UInt8]? {
    lookup(key)?.body
  }
}

extension OpenEntry {
  /// The whole body; nil when it is damaged.
  package var body: [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: Int(size))
    return bytes.withUnsafeMutableBytes({ readAll(into: $0) }) ? bytes : nil
  }
}

extension CacheStore {
  /// The fingerprints of all entries of the store's scope.
  package var fingerprints: Set<UInt32> {
    var result: Set<UInt32> = []
    forEachFingerprint { result.insert($0) }
    return result
  }
}
