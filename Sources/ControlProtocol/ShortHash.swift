import CStoreSupport
import SystemSupport

/// Names for directories and files that stand for a longer text.
package enum ShortHash {
  /// XXH3-64 of the bytes as 16 hexadecimal digits. Not for what somebody might want to forge.
  package static func name(of bytes: [UInt8]) -> String {
    let hash = bytes.withUnsafeBytes { fabrik_xxh3_64($0.baseAddress, $0.count) }
    return Hex.encode(withUnsafeBytes(of: hash.bigEndian, Array.init))
  }
}
