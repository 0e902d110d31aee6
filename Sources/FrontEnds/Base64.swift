/// Base64 with padding, the alphabet of RFC 4648 §4.
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  /// Values by character; 255 for what is none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  package static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let count = min(3, bytes.count - index)
      var group: UInt32 = 0
      for offset in 0..<3 { group = group << 8 | (offset < count ? UInt32(bytes[index + offset]) : 0) }
      for place in 0..<4 {
        text.append(place <= count ? alphabet[Int(group >> (18 - 6 * UInt32(place)) & 63)] : padding)
      }
      index += 3
    }
    return text
  }

  /// nil when the text is not whole groups of four characters, padded at the end only.
  package static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    guard !text.isEmpty else { return [] }
    let padded = text.suffix(2).reversed().prefix { $0 == padding }.count
    let whole = text.count - (padded > 0 ? 4 : 0)
    var isValid = true
    var bytes = values.withUnsafeBufferPointer { values in
      [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { bytes, count in
        // One look at the end: what is no character sets the high bits.
        var seen: UInt8 = 0
        var index = 0
        while index < whole {
          let (first, second) = (values[Int(text[index])], values[Int(text[index + 1])])
          let (third, fourth) = (values[Int(text[index + 2])], values[Int(text[index + 3])])
          seen |= first | second | third | fourth
          bytes[count] = first << 2 | second >> 4
          bytes[count + 1] = second << 4 | third >> 2
          bytes[count + 2] = third << 6 | fourth
          count += 3
          index += 4
        }
        isValid = seen < 64
      }
    }
    guard isValid else { return nil }
    if padded > 0 {
      let last = text[whole..<text.count - padded].map { values[Int($0)] }
      // What is left over of the last character are zeros.
      guard last.allSatisfy({ $0 < 64 }), last[last.count - 1] & (last.count == 3 ? 3 : 15) == 0 else { return nil }
      bytes.append(last[0] << 2 | last[1] >> 4)
      if last.count == 3 { bytes.append(last[1] << 4 | last[2] >> 2) }
    }
    return bytes
  }
}
