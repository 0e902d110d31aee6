import CStoreSupport
import Glibc
package import SystemPackage
import SystemSupport

/// Layer 0: a directory of entries, used by any number of processes at once.
///
/// Every operation may be cut short by `kill -9` at any instruction: what is visible is whole, because files are
/// written under `tmp` and then renamed, blob before entry. After a power cut a file may be short or empty; every read
/// through memory checks the body against the entry, so such an entry is a miss, is removed, and is counted.
package final class CacheStore: Sendable {
  /// The directory given at ``init(directory:maxSize:scope:now:step:)``.
  package let directory: FilePath
  /// Bytes on disk beyond which ``needsCollection`` is true.
  package let maxSize: UInt64
  package let scope: Scope
  let layout: StoreLayout
  let usage: UsageCounter
  let removalLog: RemovalLog
  let verified = VerifiedBlobs()
  /// Milliseconds since 1970.
  let now: @Sendable () -> UInt64
  let step: StoreStepHook

  /// Opens the store, made when it is missing. The time taken does not depend on what it holds.
  ///
  /// - Parameters:
  ///   - maxSize: bytes; nil for the default: 10 GB or a fifth of the disk space the cache could have, whichever is
  ///     less.
  ///   - now: the clock, for tests: milliseconds since 1970.
  /// - Throws: an `Errno` when the directory cannot be made or written.
  package init(
    directory: FilePath, maxSize: UInt64? = nil, scope: Scope = .private,
    now: @escaping @Sendable () -> UInt64 = CacheStore.systemTime, step: @escaping StoreStepHook = { _ in }
  ) throws {
    self.directory = directory
    self.scope = scope
    self.now = now
    self.step = step
    layout = StoreLayout(directory: directory)
    try FileSystem.makeDirectories(layout.root, permissions: 0o700)
    try FileSystem.makeDirectories(layout.temporary, permissions: 0o700)
    usage = try UsageCounter(path: layout.usage)
    removalLog = RemovalLog(path: layout.removals)
    self.maxSize = maxSize ?? Self.defaultMaxSize(directory: layout.root, used: UInt64(max(0, usage[.bytes])))
  }

  /// Makes the directories and the mapped files anew, after somebody has deleted the whole cache directory.
  func reopen() throws {
    try FileSystem.makeDirectories(layout.temporary, permissions: 0o700)
    try usage.reopen()
    removalLog.reopen()
  }

  /// Changes whenever an entry was removed or replaced, by any process: what was read before may not be there any more.
  /// Costs no system call.
  package var removals: Int64 { usage[.removals] }

  private static func defaultMaxSize(directory: FilePath, used: UInt64) -> UInt64 {
    let ceiling: UInt64 = 10_000_000_000
    var status = statvfs()
    guard directory.withPlatformString({ statvfs($0, &status) }) == 0 else { return ceiling }
    // File systems in user space report any number.
    let (free, isHuge) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    let (available, isMore) = free.addingReportingOverflow(used)
    return isHuge || isMore ? ceiling : defaultMaxSize(available: available)
  }

  /// A fifth of what the cache could have, and not more than 10 GB; where that is little, half of it, and not more than
  /// 256 MB: less keeps no build.
  static func defaultMaxSize(available: UInt64) -> UInt64 {
    max(min(10_000_000_000, available / 5), min(256_000_000, available / 2))
  }

  /// Looks an entry up. nil is a miss: there is none, or it was damaged and is now gone.
  package func lookup(_ key: CacheKey) -> OpenEntry? {
    lookupShared(key) ?? (scope == .private ? nil : adopt(key))
  }

  /// Whether there is an entry. To have been asked for is to have been used.
  package func contains(_ key: CacheKey) -> Bool { lookup(key) != nil }

  /// Whether there seems to be an entry: whether a file has its name. Takes two system calls at most, and does not
  /// count as a use.
  package func seemsToHold(_ key: CacheKey) -> Bool {
    access(layout.entry(key, scope: scope), F_OK) == 0
      || scope != .private && access(layout.entry(key, scope: .private), F_OK) == 0
  }

  /// Looks up what is in the store's scope already: for others than this user, who is not to learn what is private.
  package func lookupShared(_ key: CacheKey) -> OpenEntry? {
    find(key, in: scope)
  }

  /// An entry that was made on this machine while the user built outside of the team: asked for by a build of the team,
  /// it becomes the team's as well.
  private func adopt(_ key: CacheKey) -> OpenEntry? {
    // What came from elsewhere was taken on other terms: from a store without seals, say.
    guard let found = find(key, in: .private), found.record.origin.isEmpty else { return nil }
    var record = found.record
    record.scope = scope
    // The body's checksum was taken of bytes that are checked whenever they are handed out; a failure is a miss.
    return (try? publish(record, mode: .keepFirst)) == nil ? nil : find(key, in: scope)
  }

  private func find(_ key: CacheKey, in scope: Scope) -> OpenEntry? {
    let path = layout.entry(key, scope: scope)
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard let record = EntryRecord(descriptor: file) else {
      discardDamaged(path, of: .entries)
      return nil
    }
    // Another key with the same hash. Its entry is sound, but not the one that was asked for.
    guard record.key == key, record.scope == scope else { return nil }
    touch(file)
    if let body = record.inlineBody {
      guard record.isInlineBodySound else {
        discardDamaged(path, of: .entries)
        return nil
      }
      return OpenEntry(record: record, content: .bytes(body), store: self)
    }
    return openBlob(of: record, entryPath: path)
  }

  private func openBlob(of record: EntryRecord, entryPath: StoreLayout.RawPath) -> OpenEntry? {
    let path = layout.blob(record.digest)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      // Evicted, or lost: the entry leads nowhere.
      if errno == ENOENT { removeEntry(entryPath, .evicted) }
      return nil
    }
    let blob = OpenBlob(descriptor: descriptor)
    var status = stat()
    guard fstat(descriptor, &status) == 0, UInt64(status.st_size) == record.size else {
      discardDamaged(path, of: .blobs)
      removeEntry(entryPath, .damaged)
      return nil
    }
    touch(descriptor, status)
    blob.identity = VerifiedBlobs.Identity(status, record.checksum)
    return OpenEntry(record: record, content: .blob(blob), store: self)
  }

  /// Four bytes that stand for a key of this store's scope, the same on every machine of the team: the beginning of the
  /// hash that its entry's file is named after.
  package func fingerprint(of key: CacheKey) -> UInt32 {
    UInt32(truncatingIfNeeded: StoreLayout.hash(of: key, scope: scope).high >> 32)
  }

  /// Calls `body` with the fingerprint of each entry of this store's scope. Reads directories only: about half a second
  /// for a million entries. Blocks.
  package func forEachFingerprint(_ body: (UInt32) -> Void) {
    for shard in layout.shards(of: scope) {
      try? FileSystem.forEachEntry(of: shard) { name in
        let digits = UnsafeBufferPointer(start: name, count: 8).map { UInt8(bitPattern: $0) }
        guard let bytes = Hex.decode(digits) else { return }
        body(bytes.reduce(0) { $0 << 8 | UInt32($1) })
      }
    }
  }

  /// How many entries there are, of all scopes; changes with every store or removal by any process.
  package var entryCount: Int64 { usage[.entries] }

  /// Removes an entry; false when there is none. Its blob stays until it is evicted: others may share it.
  package func remove(_ key: CacheKey) -> Bool {
    // Both, or a lookup would adopt it again.
    [scope, .private].map { removeFile(layout.entry(key, scope: $0), of: .entries, .removed) }.contains { $0 > 0 }
  }

  /// Why an entry that is not there was removed; nil when there was none, or it was so long ago that it is forgotten.
  /// Costs no system call.
  package func removalCause(of key: CacheKey) -> RemovalCause? {
    removalLog.cause(of: StoreLayout.hash(of: key, scope: scope))
  }

  /// How stale a file's access time may become, in milliseconds. Coarse, because each update dirties an inode; fine
  /// enough, because eviction is about hours and days.
  package static let accessTimeGranularity: UInt64 = 60_000

  private func touch(_ descriptor: CInt) {
    var status = stat()
    if fstat(descriptor, &status) == 0 { touch(descriptor, status) }
  }

  private func touch(_ descriptor: CInt, _ status: stat) {
    let now = now()
    guard now > milliseconds(status.st_atim) + Self.accessTimeGranularity else { return }
    _ = Self.withAccessTime(now) { futimens(descriptor, $0) }
  }

  /// Makes a file the one used last; false when it is not there.
  func markUsed(_ path: StoreLayout.RawPath) -> Bool {
    Self.withAccessTime(now()) { utimensat(AT_FDCWD, path, $0, 0) } == 0
  }

  /// Sets no modification time: that would make a blob look changed since it was checked.
  private static func withAccessTime(_ now: UInt64, _ call: (UnsafePointer<timespec>) -> CInt) -> CInt {
    let access = timespec(tv_sec: Int(now / 1000), tv_nsec: Int(now % 1000) * 1_000_000)
    return withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { times in
      times.initializeElement(at: 0, to: access)
      times.initializeElement(at: 1, to: timespec(tv_sec: 0, tv_nsec: utimeOmit))
      return call(UnsafePointer(times.baseAddress!))
    }
  }

  /// Removes a file whose content is not what it should be, and counts it.
  func discardDamaged(_ path: StoreLayout.RawPath, of tree: StoreLayout.Tree) {
    removeFile(path, of: tree, .damaged)
    usage.add(1, to: .damaged)
  }

  func removeEntry(_ path: StoreLayout.RawPath, _ cause: RemovalCause) {
    removeFile(path, of: .entries, cause)
  }

  /// Removes a file and takes it out of the counters. Returns the bytes freed, 0 when there was none.
  @discardableResult
  func removeFile(_ path: UnsafePointer<CChar>, of tree: StoreLayout.Tree, _ cause: RemovalCause) -> UInt64 {
    var status = stat()
    guard lstat(path, &status) == 0, unlink(path) == 0 else { return 0 }
    let size = FileSystem.diskSize(status.st_size)
    usage.add(-Int64(size), to: .bytes)
    if tree == .entries {
      removalLog.note(path, cause)
      usage.add(-1, to: .entries)
      usage.add(1, to: .removals)
    }
    return size
  }

  /// The system's clock in milliseconds since 1970.
  package static let systemTime: @Sendable () -> UInt64 = {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return milliseconds(time)
  }
}

/// `UTIME_OMIT` of <sys/stat.h>, a macro that Swift does not import.
private let utimeOmit = (1 << 30) - 2

func milliseconds(_ time: timespec) -> UInt64 {
  UInt64(max(0, time.tv_sec)) * 1000 + UInt64(time.tv_nsec) / 1_000_000
}
