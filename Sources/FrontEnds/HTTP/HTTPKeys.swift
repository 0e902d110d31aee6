import CacheStore
import SystemSupport

/// Keys out of paths. No file path is ever made from one, but a strict grammar keeps what is not a key out of the
/// store.
enum HTTPKeys {
  /// A name of letters, digits, dashes and underscores, kept as it is.
  static func word(_ text: Substring, namespace: String) -> CacheKey? {
    guard text.utf8.allSatisfy(isWordByte) else { return nil }
    return CacheKey(namespace: namespace, bytes: Array(text.utf8))
  }

  /// So many bytes in hexadecimal.
  static func hex(_ text: Substring, bytes count: Int, namespace: String) -> CacheKey? {
    guard text.utf8.count == 2 * count, let bytes = Hex.decode(Array(text.utf8)) else { return nil }
    return CacheKey(namespace: namespace, bytes: bytes)
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
