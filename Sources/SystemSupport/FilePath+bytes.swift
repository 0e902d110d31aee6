import Glibc
package import SystemPackage

extension FilePath {
  /// A path of these bytes, up to the first NUL. Not generic: made hundreds of times by each build, and what is generic is not
  /// specialized for another module.
  package init(bytes: [UInt8]) { self.init(bytes: bytes[...]) }

  /// A path of these bytes, up to the first NUL.
  package init(bytes: ArraySlice<UInt8>) {
    self = withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { characters in
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(characters).copyMemory(from: $0) }
      characters[bytes.count] = 0
      return FilePath(platformString: characters.baseAddress!)
    }
  }

  /// The path's bytes, without a final NUL.
  package var bytes: [UInt8] {
    withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
  }
}
