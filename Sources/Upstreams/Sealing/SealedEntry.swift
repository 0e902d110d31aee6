import CacheStore
import Cryptography

/// An entry of the local store behind its envelope's head.
final class SealedEntry: UploadBody {
  private let head: [UInt8]
  private let entry: OpenEntry

  init(head: [UInt8], entry: OpenEntry) {
    self.head = head
    self.entry = entry
  }

  var size: UInt64 { UInt64(head.count) + entry.size }

  /// All of it; nil when it cannot be read.
  var bytes: [UInt8]? {
    var isRead = true
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
      count = Int(size)
      isRead = read(at: 0, into: UnsafeMutableRawBufferPointer(buffer), count: count)
      if !isRead { buffer.initialize(repeating: 0) }
    }
    return isRead ? bytes : nil
  }

  /// The SHA-256 of all of it; nil when it cannot be read.
  var digest: Digest? {
    let digest = OpenSSLDigest()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { piece.deallocate() }
    var offset: UInt64 = 0
    while offset < size {
      guard let count = read(at: offset, into: piece), count > 0 else { return nil }
      digest.update(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      offset += UInt64(count)
    }
    return digest.finish()
  }

  private func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer, count: Int) -> Bool {
    var done = 0
    while done < count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<count])
      guard let more = read(at: offset + UInt64(done), into: rest), more > 0 else { return false }
      done += more
    }
    return true
  }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    let boundary = UInt64(head.count)
    if offset < boundary {
      let part = head[Int(offset)...].prefix(buffer.count)
      buffer.copyBytes(from: part)
      return part.count
    }
    let start = offset - boundary
    guard start <= entry.size else { return nil }
    let count = Int(min(UInt64(buffer.count), entry.size - start))
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    if let inline = entry.inlineBody {
      target.copyBytes(from: inline[Int(start)...].prefix(count))
    } else if let blob = entry.blob, count > 0 {
      guard blob.read(at: start, into: target) else { return nil }
    }
    return count
  }
}
