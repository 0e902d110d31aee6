/// Makes secrets for teams.
package enum TeamSecretGenerator {
  /// 256 bits of the system's generator, as 43 characters of base64url.
  package static func make() -> String {
    var generator = SystemRandomNumberGenerator()
    return encode((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
  }

  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

  /// base64url (RFC 4648) without padding.
  static func encode(_ bytes: [UInt8]) -> String {
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let number = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
      for digit in 0...group.count { text.append(alphabet[number >> (18 - 6 * digit) & 63]) }
    }
    return text
  }
}
