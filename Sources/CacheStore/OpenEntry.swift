import Glibc

/// An entry that was found, with its body held open: an eviction in the meantime does not take it away.
package struct OpenEntry {
  package let record: EntryRecord
  let content: Content
  let store: CacheStore

  enum Content {
    case bytes([UInt8])
    case blob(OpenBlob)
  }

  /// Bytes of the body.
  package var size: UInt64 { record.size }

  /// The body of an entry that lies in its own file, checked; nil when the body is a blob.
  package var inlineBody: [UInt8]? {
    if case .bytes(let bytes) = content { bytes } else { nil }
  }

  /// The blob's file; nil when the body lies in the entry.
  package var blob: OpenBlob? {
    if case .blob(let blob) = content { blob } else { nil }
  }

  /// Reads the whole body into a buffer of ``size`` bytes and checks it. False: the body is damaged, the entry is now
  /// removed, and the buffer's content is worth nothing.
  package func readAll(into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    switch content {
    case .bytes(let bytes):
      buffer.copyBytes(from: bytes)
      return true
    case .blob(let blob):
      guard blob.read(at: 0, into: buffer), Checksum(of: UnsafeRawBufferPointer(buffer)) == record.checksum else {
        reportDamage()
        return false
      }
      return true
    }
  }

  /// The whole body; nil when it is larger than `limit` bytes, or damaged.
  package func body(upTo limit: Int) -> [UInt8]? {
    guard size <= UInt64(limit) else { return nil }
    if let inlineBody { return inlineBody }
    var isSound = true
    let body = [UInt8](unsafeUninitializedCapacity: Int(size)) { space, count in
      isSound = readAll(into: UnsafeMutableRawBufferPointer(space))
      count = isSound ? space.count : 0
    }
    return isSound ? body : nil
  }

  /// Whether the blob's file has been found to match its checksum since it was last changed, so that it may be handed
  /// out without a look at its bytes.
  package var isVerified: Bool {
    blob?.identity.map(store.verified.contains) ?? true
  }

  /// To be called by whoever read the whole blob in pieces and found its checksum right.
  package func reportVerified() {
    if let identity = blob?.identity { store.verified.insert(identity) }
  }

  /// To be called by whoever found the body damaged: removes and counts it.
  package func reportDamage() {
    store.discardDamaged(store.layout.blob(record.digest), of: .blobs)
    store.removeEntry(store.layout.entry(record.key, scope: record.scope), .damaged)
  }
}

/// An open file with a blob's bytes; closed with the last reference.
package final class OpenBlob {
  package let descriptor: CInt
  var identity: VerifiedBlobs.Identity?

  init(descriptor: CInt) {
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Fills the whole buffer from `offset` on; false when the file ends before, or cannot be read.
  package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    var done = 0
    while done < buffer.count {
      let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Reads the whole file: whether it has this size and checksum. Blocks; memory does not grow with the size.
  func isSound(size: UInt64, checksum expected: Checksum) -> Bool {
    var status = stat()
    guard fstat(descriptor, &status) == 0, UInt64(status.st_size) == size else { return false }
    let checksum = Checksum.Stream()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 64)
    defer { piece.deallocate() }
    var offset: UInt64 = 0
    while offset < size {
      let count = Int(min(UInt64(piece.count), size - offset))
      let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<count])
      guard read(at: offset, into: part) else { return false }
      checksum.update(UnsafeRawBufferPointer(part))
      offset += UInt64(count)
    }
    return checksum.value == expected
  }

  /// Large enough that system calls do not count, small enough for a processor's cache.
  private static let pieceSize = 1 << 18

  /// Keeps the blob from being evicted, by any process, for as long as this object lives.
  package func pin() {
    while flock(descriptor, LOCK_SH) != 0, errno == EINTR {}
  }
}
