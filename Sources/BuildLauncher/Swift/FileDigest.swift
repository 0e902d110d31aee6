import CSHA256
import SystemPackage
import SystemSupport

/// The SHA-256 of a file's content.
enum FileDigest {
  /// In hexadecimal digits; nil when the file cannot be read. Blocks: about a second for a gigabyte.
  static func hex(of path: FilePath) -> String? {
    guard let file = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking]) else {
      return nil
    }
    defer { try? file.close() }
    var hash = sha256()
    sha256_begin(&hash)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { buffer.deallocate() }
    while true {
      guard let count = try? file.read(into: buffer) else { return nil }
      if count == 0 { break }
      sha256_add(&hash, buffer.baseAddress, count)
    }
    return Hex.encode(
      [UInt8](unsafeUninitializedCapacity: Int(sha256_length)) { digest, count in
        sha256_end(&hash, digest.baseAddress)
        count = digest.count
      })
  }
}
