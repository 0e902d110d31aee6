import Glibc
import SystemPackage
import SystemSupport

/// Takes in the body of one new entry. Nothing is visible before ``commit(duration:origin:mode:)``; a writer that is
/// dropped leaves nothing behind. Any failure, a full disk above all, only means that the entry is not stored.
package final class EntryWriter {
  /// What to do when the key has an entry already.
  package enum Mode: Sendable {
    /// The new entry takes its place: for keys whose meaning grows, such as ccache's manifests.
    case replace
    /// The first stays: for keys that are computed from what they stand for.
    case keepFirst
  }

  package enum Outcome: Sendable, Equatable {
    case stored(bytes: UInt64)
    /// There was an entry already, and the mode was ``Mode/keepFirst``.
    case alreadyThere
    /// The body is not the one that was announced, or not the one that the key stands for.
    case mismatch
    case notStored(reason: String)
  }

  package let key: CacheKey
  private let store: CacheStore
  private let digest: any DigestComputing
  private let checksum = Checksum.Stream()
  private var size: UInt64 = 0
  /// The beginning of the body, until it outgrows what fits into an entry's file.
  private var buffer: [UInt8] = []
  private var temporary: TemporaryFile?
  private var failure: String?
  /// Whether a small body goes into the entry's own file.
  private let isInlineAllowed: Bool
  /// What was committed, when it is a blob.
  private var committed: (digest: Digest, checksum: Checksum)?

  init(
    store: CacheStore, key: CacheKey, digest: any DigestComputing, isInlineAllowed: Bool, body: TemporaryFile? = nil
  ) {
    self.store = store
    self.key = key
    self.digest = digest
    self.isInlineAllowed = isInlineAllowed
    temporary = body
  }

  /// Takes the next bytes of the body. After a failure it does nothing.
  package func write(_ bytes: UnsafeRawBufferPointer) {
    guard failure == nil, !bytes.isEmpty else { return }
    size += UInt64(bytes.count)
    guard size <= store.maxSize else { return fail("larger than the whole cache") }
    digest.update(bytes)
    checksum.update(bytes)
    do {
      if temporary == nil, buffer.count + bytes.count <= EntryRecord.inlineFileSize {
        buffer.append(contentsOf: bytes)
        return
      }
      try spill()
      try store.step(.writeTemporary)
      try temporary?.write(bytes)
    } catch {
      fail("\(error)")
    }
  }

  /// Takes in the next piece of a body that another process has written: for writers that adopt one. False at its end,
  /// or after a failure.
  package func readPiece() -> Bool {
    guard failure == nil, let temporary else { return false }
    return withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 64) { piece in
      let count = pread(temporary.descriptor, piece.baseAddress, piece.count, off_t(size))
      if count < 0, errno == EINTR { return true }
      guard count >= 0 else {
        fail("\(Errno(rawValue: errno))")
        return false
      }
      let bytes = UnsafeRawBufferPointer(rebasing: piece[..<count])
      size += UInt64(count)
      guard size <= store.maxSize else {
        fail("larger than the whole cache")
        return false
      }
      digest.update(bytes)
      checksum.update(bytes)
      return count > 0
    }
  }

  /// A millisecond's work.
  private static let pieceSize = 1 << 18

  /// Moves what is buffered into a file.
  private func spill() throws {
    guard temporary == nil else { return }
    try store.step(.createTemporary)
    let file = try TemporaryFile(store)
    temporary = file
    try buffer.withUnsafeBytes { try file.write($0) }
    buffer = []
  }

  private func fail(_ reason: String) {
    failure = reason
    temporary = nil
    buffer = []
  }

  /// Makes the entry visible.
  ///
  /// - Parameters:
  ///   - duration: how long the tool took to make the body, in milliseconds; nil when not known.
  ///   - origin: empty for this machine.
  ///   - expected: the digest that the body was announced with; any other body is not stored.
  package func commit(
    duration: UInt32?, origin: String = "", expecting expected: Digest? = nil, mode: Mode
  ) -> Outcome {
    if let failure { return .notStored(reason: failure) }
    guard let digest = digest.finish() else { return .notStored(reason: "no digest") }
    if let expected, expected != digest { return .mismatch }
    guard key.admits(digest) else { return .mismatch }
    var record = EntryRecord(
      key: key, scope: store.scope, digest: digest, size: size, checksum: checksum.value,
      created: store.now(), duration: duration, origin: origin, inlineBody: nil)
    do {
      if isInlineAllowed, temporary == nil, EntryRecord.isInline(size: buffer.count, headSize: record.headSize) {
        record.inlineBody = buffer
      } else {
        try spill()
        try publishBlob(record.digest)
        committed = (digest, record.checksum)
      }
      return try store.publish(record, mode: mode)
    } catch {
      return .notStored(reason: "\(error)")
    }
  }

  /// The body that was committed as a file; nil when it was not stored, or lies in the entry's own file.
  package var file: BlobFile? {
    committed.flatMap { store.blobFile($0.digest, size: size, checksum: $0.checksum) {} }
  }

  private func publishBlob(_ digest: Digest) throws {
    guard let file = temporary else { return }
    let path = store.layout.blob(digest)
    try store.step(.publishBlob)
    // More than one turn only when others store and evict the same blob meanwhile.
    for _ in 0..<Self.publishAttempts {
      if try file.publish(as: path) {
        markVerified(path)
        store.usage.add(Int64(FileSystem.diskSize(size)), to: .bytes)
        return
      }
      var status = stat()
      guard stat(path, &status) == 0 else { continue }
      // Equal bytes are stored once, unless what is there has been damaged.
      switch state(of: path, status) {
      case .sound: if store.markUsed(path) { return }
      case .damaged: store.discardDamaged(path, of: .blobs)
      case .unknown: store.removeFile(path, of: .blobs, .damaged)
      }
    }
    throw Errno.resourceBusy
  }

  private static let publishAttempts = 10

  private enum ExistingBlob {
    case sound, damaged
    /// Not known to be sound, and too large to be read now.
    case unknown
  }

  /// More than this is not read to find out whether it is sound: to store the body anew takes no longer.
  private static let readingLimit: UInt64 = 1 << 20

  /// Whether the file at the path of this body's blob holds this body. One that this process knows is not read again.
  private func state(of path: StoreLayout.RawPath, _ status: stat) -> ExistingBlob {
    if UInt64(status.st_size) != size { return .damaged }
    let identity = VerifiedBlobs.Identity(status, checksum.value)
    if store.verified.contains(identity) { return .sound }
    if size > Self.readingLimit { return .unknown }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    // Evicted a moment ago: there is nothing to discard, and the next turn publishes.
    guard descriptor >= 0 else { return .sound }
    guard OpenBlob(descriptor: descriptor).isSound(size: size, checksum: checksum.value) else { return .damaged }
    store.verified.insert(identity)
    return .sound
  }

  /// A large blob that this process wrote need not be read again before it is handed out.
  private func markVerified(_ path: StoreLayout.RawPath) {
    var status = stat()
    if stat(path, &status) == 0 { store.verified.insert(VerifiedBlobs.Identity(status, checksum.value)) }
  }
}

extension CacheStore {
  /// Begins a new entry.
  ///
  /// - Parameter isInlineAllowed: whether a small body may lie in the entry's own file; false where it is going to be
  ///   needed as a file, of which there would be two.
  package func makeWriter(
    key: CacheKey, digest: any DigestComputing, isInlineAllowed: Bool = true
  ) -> EntryWriter {
    EntryWriter(store: self, key: key, digest: digest, isInlineAllowed: isInlineAllowed)
  }

  /// Begins a new entry whose body another process of this user has written in ``bodyDirectory``. The file is this
  /// writer's from now on: it becomes the blob, or is removed. Its bytes come in by ``EntryWriter/readPiece()``.
  ///
  /// - Parameter name: in the directory.
  /// - Returns: nil when there is no such file.
  package func makeWriter(key: CacheKey, digest: any DigestComputing, adopting name: String) -> EntryWriter? {
    guard let body = TemporaryFile(self, adopting: name) else { return nil }
    return EntryWriter(store: self, key: key, digest: digest, isInlineAllowed: false, body: body)
  }

  /// Begins a new entry whose body is a file of another process of this user, which keeps it and will not change it:
  /// the blob is the same file under another name. Its bytes come in by ``EntryWriter/readPiece()``; they are checked
  /// when they are handed out, should the file be changed after all.
  ///
  /// - Parameters:
  ///   - name: in the directory; links are not followed.
  ///   - directory: a descriptor.
  /// - Returns: nil when there is no such file, or it lies on another file system.
  package func makeWriter(
    key: CacheKey, digest: any DigestComputing, linking name: String, in directory: CInt
  ) -> EntryWriter? {
    guard let body = TemporaryFile(self, linking: name, in: directory) else { return nil }
    return EntryWriter(store: self, key: key, digest: digest, isInlineAllowed: false, body: body)
  }

  /// Puts a body that lies in its entry into a file as well.
  func makeBlob(of record: EntryRecord, _ body: [UInt8]) throws {
    if access(layout.blob(record.digest), F_OK) == 0 { return }
    let file = try TemporaryFile(self)
    try body.withUnsafeBytes { try file.write($0) }
    let path = layout.blob(record.digest)
    guard try file.publish(as: path) else { return }
    var status = stat()
    if stat(path, &status) == 0 { verified.insert(VerifiedBlobs.Identity(status, record.checksum)) }
    usage.add(Int64(FileSystem.diskSize(record.size)), to: .bytes)
  }

  /// Stores a body that came from elsewhere and whose digest has been checked, unless the key has an entry already. A
  /// failure only means that it is not stored.
  package func keep(
    _ body: UnsafeRawBufferPointer, under key: CacheKey, digest: Digest, duration: UInt32?, origin: String
  ) {
    let writer = makeWriter(key: key, digest: KnownDigest(digest: digest))
    writer.write(body)
    _ = writer.commit(duration: duration, origin: origin, mode: .keepFirst)
  }

  /// Gives a record, whose blob is in place, its name.
  func publish(_ record: EntryRecord, mode: EntryWriter.Mode) throws -> EntryWriter.Outcome {
    let path = layout.entry(record.key, scope: record.scope)
    try step(.createEntryFile)
    let file = try TemporaryFile(self)
    let encoded = record.encoded
    try step(.writeEntryFile)
    try encoded.withUnsafeBytes { try file.write($0) }
    try step(.publishEntry)
    if try !file.publish(as: path) {
      if mode == .keepFirst { return .alreadyThere }
      // Removed and renamed, not replaced: ext4 starts writing a file to disk when it replaces another. In between the
      // key is a miss.
      try step(.removeOldEntry)
      removeEntry(path, .replaced)
      guard try file.publish(as: path) else { return .alreadyThere }
    }
    try step(.count)
    usage.add(Int64(FileSystem.diskSize(encoded.count)), to: .bytes)
    usage.add(1, to: .entries)
    return .stored(bytes: record.size)
  }
}

/// A digest that has been computed before.
private final class KnownDigest: DigestComputing {
  private let digest: Digest

  init(digest: Digest) {
    self.digest = digest
  }

  func update(_ bytes: UnsafeRawBufferPointer) {}

  func finish() -> Digest? { digest }
}
