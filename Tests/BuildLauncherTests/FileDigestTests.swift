import CacheStore
import SystemPackage
import TestSupport
import Testing

@testable import BuildLauncher

@Suite("The digest of a file")
struct FileDigestTests {
  @Test("is that of its content")
  func content() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("file")
      // More than is read at once.
      for length in [0, 1, 1 << 18, (1 << 18) + 1, 1_000_000] {
        let bytes = [UInt8](repeating: 7, count: length)
        try Files.write(bytes, to: file)
        #expect(FileDigest.hex(of: file) == SHA256Digest.digest(of: bytes).description)
      }
    }
  }

  @Test("is none when it cannot be read, and is not waited for")
  func unreadable() throws {
    try withTemporaryDirectory { directory in
      #expect(FileDigest.hex(of: directory.appending("nothing")) == nil)
      #expect(FileDigest.hex(of: directory) == nil)
      #expect(FileDigest.hex(of: "") == nil)
    }
  }
}
