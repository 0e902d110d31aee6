/// Lower-case hexadecimal text. Not generic over its input: it is called for each lookup, and a generic function of
/// another module is not specialised, which makes it thirty times slower.
package enum Hex {
  package static func encode(_ bytes: [UInt8]) -> String {
    String(decoding: encodeBytes(bytes), as: UTF8.self)
  }

  /// The text's ASCII codes.
  package static func encodeBytes(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 2 * bytes.count) { text, count in
      for byte in bytes {
        text[count] = digit(byte >> 4)
        text[count + 1] = digit(byte & 15)
        count += 2
      }
    }
  }

  /// nil when the count is odd or a character is not `0-9a-f`.
  package static func decode(_ text: [UInt8]) -> [UInt8]? {
    text.withUnsafeBufferPointer(decode)
  }

  /// nil when the count is odd or a character is not `0-9a-f`.
  package static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var isValid = true
    let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 2) { bytes, count in
      while count < text.count / 2 {
        let high = value(of: text[2 * count])
        let low = value(of: text[2 * count + 1])
        isValid = isValid && high < 16 && low < 16
        bytes[count] = high << 4 | low & 15
        count += 1
      }
    }
    return isValid ? bytes : nil
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  /// 255 for what is no digit.
  private static func value(of character: UInt8) -> UInt8 {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    default: 255
    }
  }
}
