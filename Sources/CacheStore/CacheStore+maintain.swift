import Glibc
import SystemSupport

extension CacheStore {
  /// What the counters say; nothing is read from disk.
  package struct Summary: Sendable, Equatable {
    package let bytes: UInt64
    package let entries: Int
    package let damaged: Int
    package let evicted: Int
    package let maxSize: UInt64
  }

  package var summary: Summary {
    Summary(
      bytes: UInt64(max(0, usage[.bytes])), entries: Int(max(0, usage[.entries])), damaged: Int(usage[.damaged]),
      evicted: Int(usage[.evicted]), maxSize: maxSize)
  }

  /// What ``verify()`` found.
  package struct Verification: Sendable, Equatable {
    package var soundEntries = 0
    /// Removed, because the record or its body was not what it should be.
    package var damagedEntries = 0
    /// Removed, because their blob has been evicted.
    package var entriesWithoutBlob = 0
  }

  /// Reads every entry and its body and removes what is damaged. Takes as long as reading the whole cache.
  package func verify() -> Verification {
    var result = Verification()
    forEachFile { path, _, tree in
      guard tree == .entries else { return }
      switch check(path) {
      case .sound: result.soundEntries += 1
      case .damaged: result.damagedEntries += 1
      case .withoutBlob: result.entriesWithoutBlob += 1
      case .gone: break
      }
    }
    return result
  }

  private enum Finding {
    case sound, damaged, withoutBlob, gone
  }

  private func check(_ path: UnsafePointer<CChar>) -> Finding {
    let rawPath = Array(UnsafeBufferPointer(start: path, count: strlen(path) + 1))
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return .gone }
    defer { close(descriptor) }
    guard let record = EntryRecord(descriptor: descriptor), record.isInlineBodySound else {
      discardDamaged(rawPath, of: .entries)
      return .damaged
    }
    if record.inlineBody != nil { return .sound }
    let blobPath = layout.blob(record.digest)
    let blobDescriptor = open(blobPath, O_RDONLY | O_CLOEXEC)
    guard blobDescriptor >= 0 else {
      removeEntry(rawPath, .evicted)
      return .withoutBlob
    }
    let blob = OpenBlob(descriptor: blobDescriptor)
    if blob.isSound(size: record.size, checksum: record.checksum) { return .sound }
    discardDamaged(blobPath, of: .blobs)
    removeEntry(rawPath, .damaged)
    return .damaged
  }

  /// Removes every entry. Others may go on using the store meanwhile. Returns what was freed, in bytes.
  package func clear() -> UInt64 {
    var freed: UInt64 = 0
    forEachFile { path, _, tree in freed += removeFile(path, of: tree, .removed) }
    return freed
  }
}
