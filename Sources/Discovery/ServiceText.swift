/// The pairs of a service's TXT record (RFC 6763 section 6).
enum ServiceText {
  /// More bytes than any service of ours has; a record that is longer counts as empty.
  static let longest = 1024

  /// Strings without a name, repeated names and what is not UTF-8 are left out; a name without `=` has an empty value.
  static func pairs(_ strings: [[UInt8]]) -> [String: String] {
    guard strings.reduce(0, { $0 + $1.count }) <= longest else { return [:] }
    var pairs: [String: String] = [:]
    for string in strings {
      let parts = string.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = String(validating: parts[0], as: UTF8.self), !name.isEmpty, pairs[name] == nil,
        let value = parts.count == 2 ? String(validating: parts[1], as: UTF8.self) : ""
      else { continue }
      pairs[name] = value
    }
    return pairs
  }

  /// In the order of their names.
  static func strings(_ pairs: [String: String]) -> [[UInt8]] {
    pairs.sorted { $0.key < $1.key }.map { Array("\($0.key)=\($0.value)".utf8) }
  }
}
