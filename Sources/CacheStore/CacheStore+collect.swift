import Glibc
import SystemPackage
import SystemSupport

extension CacheStore {
  /// What a collection did.
  package struct Collection: Sendable, Equatable {
    package var removedFiles = 0
    package var removedBytes: UInt64 = 0
    package var remainingBytes: UInt64 = 0
    package var remainingEntries = 0
  }

  /// Collections go this far below the limit, so that they are rare.
  private static let lowWaterMark = 0.9

  /// Also when the counters cannot be right: a collection corrects them.
  package var needsCollection: Bool {
    let bytes = usage[.bytes]
    return bytes < 0 || UInt64(bytes) > maxSize
  }

  /// Whether the counters have been lost: they say that there is nothing, and there are entries.
  package var isUncounted: Bool {
    usage[.bytes] == 0 && FileSystem.exists(layout.directory(of: .entries))
  }

  /// Evicts what was used least recently until the store is 10 % below its limit; corrects the counters.
  ///
  /// Two passes over the file names: the first adds up sizes by age, the second removes what is older than the age at
  /// which the limit is met. Memory does not grow with the store. Pinned blobs stay; for each that is met, two more
  /// passes may follow.
  ///
  /// - Parameter target: bytes to get down to; nil: only if the limit is exceeded, to 90 % of it.
  /// - Returns: nil when another process is collecting.
  package func collect(target: UInt64? = nil) throws -> Collection? {
    let lock = try lockFile()
    defer { try? lock.close() }
    guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else { return nil }
    removeAbandonedTemporaries()

    let countedBytes = usage[.bytes]
    let countedEntries = usage[.entries]
    let now = now()
    var (ages, entries) = survey(now: now, leavingOut: [])
    // What others stored or removed meanwhile is in the counters already: only the error found is taken out. The
    // counters lie in a file and may hold any number, hence the arithmetic that cannot overflow.
    usage.add(Int64(ages.total) &- countedBytes, to: .bytes)
    usage.add(Int64(entries) &- countedEntries, to: .entries)
    var result = Collection(remainingBytes: ages.total, remainingEntries: entries)
    let goal = target ?? (ages.total > maxSize ? UInt64(Double(maxSize) * Self.lowWaterMark) : UInt64.max)
    var pinned: Set<UInt64> = []
    while result.remainingBytes > goal {
      let known = pinned.count
      evict(ages, excess: result.remainingBytes - goal, now: now, pinned: &pinned, result: &result)
      // What turned out to be pinned gave nothing; others have to go in its stead.
      guard pinned.count > known else { break }
      ages = survey(now: now, leavingOut: pinned).ages
    }
    return result
  }

  /// The file of the counters is also what collectors lock: it is there however full the disk is.
  private func lockFile() throws -> FileDescriptor {
    func open() throws -> FileDescriptor {
      try .open(layout.usage, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    }
    do {
      return try open()
    } catch Errno.noSuchFileOrDirectory {
      // Somebody deleted the whole cache directory.
      try reopen()
      return try open()
    }
  }

  /// Adds up what there is, by age.
  ///
  /// - Parameter pinned: inodes that are not to be counted.
  private func survey(now: UInt64, leavingOut pinned: Set<UInt64>) -> (ages: AgeHistogram, entries: Int) {
    var ages = AgeHistogram()
    var entries = 0
    forEachFile { _, status, tree in
      if tree == .entries { entries += 1 }
      if pinned.contains(UInt64(status.st_ino)) { return }
      ages.add(FileSystem.diskSize(status.st_size), age: now - min(now, milliseconds(status.st_atim)))
    }
    return (ages, entries)
  }

  private func evict(
    _ ages: AgeHistogram, excess: UInt64, now: UInt64, pinned: inout Set<UInt64>, result: inout Collection
  ) {
    let (cutoff, bytesOfCutoff) = ages.cutoff(removing: excess)
    var allowance = bytesOfCutoff
    forEachFile { path, status, tree in
      let bucket = AgeHistogram.bucket(age: now - min(now, milliseconds(status.st_atim)))
      guard bucket >= cutoff, !pinned.contains(UInt64(status.st_ino)) else { return }
      let size = FileSystem.diskSize(status.st_size)
      if bucket == cutoff {
        guard allowance > 0 else { return }
        allowance -= min(allowance, size)
      }
      if tree == .blobs, isPinned(path) {
        pinned.insert(UInt64(status.st_ino))
        return
      }
      guard removeFile(path, of: tree, .evicted) > 0 else { return }
      if tree == .entries {
        usage.add(1, to: .evicted)
        result.remainingEntries -= 1
      }
      result.removedFiles += 1
      result.removedBytes += size
      // A file that was stored since the survey was not in the sum.
      result.remainingBytes -= min(size, result.remainingBytes)
    }
  }

  private func isPinned(_ path: UnsafePointer<CChar>) -> Bool {
    // Writable, since NFS grants exclusive locks on nothing else; what tools are given cannot be written.
    var descriptor = open(path, O_RDWR | O_CLOEXEC)
    if descriptor < 0, errno == EACCES { descriptor = open(path, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
  }

  /// Removes files under `tmp` whose writers are dead. They are counted nowhere.
  package func removeAbandonedTemporaries() {
    try? FileSystem.forEachEntry(of: layout.temporary) { name in
      let path = layout.temporary(name: String(cString: name))
      if !isPinned(path) { unlink(path) }
    }
  }

  /// Calls `body` for each file of both trees.
  func forEachFile(_ body: (UnsafePointer<CChar>, stat, StoreLayout.Tree) -> Void) {
    for tree in StoreLayout.Tree.allCases {
      let directory = layout.directory(of: tree)
      let shards = (try? FileSystem.entries(of: directory)) ?? []
      for shard in shards.sorted() {
        let prefix = directory.appending(shard)
        try? FileSystem.forEachEntry(of: prefix) { name in
          prefix.appending(String(cString: name)).withPlatformString { path in
            var status = stat()
            if lstat(path, &status) == 0 { body(path, status, tree) }
          }
        }
      }
    }
  }
}

/// Bytes by age, in steps of about one percent.
private struct AgeHistogram {
  private static let perOctave = 64
  /// For any age.
  private var buckets = [UInt64](repeating: 0, count: UInt64.bitWidth * perOctave)
  private(set) var total: UInt64 = 0

  /// - Parameter age: milliseconds.
  static func bucket(age: UInt64) -> Int {
    Int(log2(Double(age) + 1) * Double(perOctave))
  }

  mutating func add(_ bytes: UInt64, age: UInt64) {
    buckets[min(Self.bucket(age: age), buckets.count - 1)] += bytes
    total += bytes
  }

  /// The youngest bucket that must give way, and how many of its bytes.
  func cutoff(removing excess: UInt64) -> (bucket: Int, bytes: UInt64) {
    var left = excess
    for index in buckets.indices.reversed() where buckets[index] > 0 {
      if buckets[index] >= left { return (index, left) }
      left -= buckets[index]
    }
    return (0, .max)
  }
}
