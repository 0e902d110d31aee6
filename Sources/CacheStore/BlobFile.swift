import Glibc
package import SystemPackage

/// A blob's own file, for a tool that reads it itself: its bytes have been checked since it was last changed, and no
/// process evicts it while this object lives. Holds a descriptor.
package final class BlobFile {
  /// Not to be written to.
  package let path: [UInt8]
  private let blob: OpenBlob

  fileprivate init(path: StoreLayout.RawPath, blob: OpenBlob) {
    self.path = path.dropLast().map { UInt8(bitPattern: $0) }
    self.blob = blob
  }
}

extension OpenEntry {
  /// The body as a file. A body that lies in the entry gets one. nil: it was damaged, and is removed, or was evicted a
  /// moment ago, or there is no room for a file. Blocks while a large blob is read for the first time.
  package func file() -> BlobFile? {
    guard case .bytes(let bytes) = content else {
      return store.blobFile(record.digest, size: record.size, checksum: record.checksum) { reportDamage() }
    }
    // Twice, when what is there is damaged.
    for _ in 0..<2 {
      guard (try? store.makeBlob(of: record, bytes)) != nil else { return nil }
      let file = store.blobFile(record.digest, size: record.size, checksum: record.checksum) {
        store.discardDamaged(store.layout.blob(record.digest), of: .blobs)
      }
      if let file { return file }
    }
    return nil
  }
}

extension CacheStore {
  /// Where a process of this user may write the body of a new entry, for ``makeWriter(key:digest:adopting:)``.
  package var bodyDirectory: FilePath { layout.temporary }

  /// Opens, checks and pins a blob.
  ///
  /// - Parameter onDamage: called when its bytes are not what they should be.
  func blobFile(_ digest: Digest, size: UInt64, checksum: Checksum, onDamage: () -> Void) -> BlobFile? {
    let path = layout.blob(digest)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    let blob = OpenBlob(descriptor: descriptor)
    // Pinned before it is checked: what is checked is what is there afterwards.
    blob.pin()
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    let identity = VerifiedBlobs.Identity(status, checksum)
    if UInt64(status.st_size) != size || !verified.contains(identity) {
      guard blob.isSound(size: size, checksum: checksum) else {
        onDamage()
        return nil
      }
      verified.insert(identity)
    }
    // A collector may have removed it before it was pinned.
    var named = stat()
    guard stat(path, &named) == 0, named.st_ino == status.st_ino, named.st_dev == status.st_dev else { return nil }
    return BlobFile(path: path, blob: blob)
  }
}
