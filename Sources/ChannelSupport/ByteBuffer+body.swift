package import CacheStore
package import NIOCore

extension ByteBuffer {
  /// Writes the whole body of an entry. False: it is damaged, or cannot be read, and nothing was written.
  package mutating func write(bodyOf entry: OpenEntry) -> Bool {
    if let body = entry.inlineBody {
      writeBytes(body)
      return true
    }
    let size = Int(entry.size)
    let count = writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
      entry.readAll(into: UnsafeMutableRawBufferPointer(rebasing: space[..<size])) ? size : 0
    }
    guard count == size else { return false }
    entry.reportVerified()
    return true
  }
}
