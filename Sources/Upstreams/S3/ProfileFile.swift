/// A file of Amazon's tools, `~/.aws/credentials` or `~/.aws/config`, read as botocore reads it (Python's
/// `configparser`): a comment has a line of its own, and a line that is indented deeper than the key above it belongs
/// to that key, which makes it a section within the section. Those are left out. What cannot be understood is passed over.
struct ProfileFile: Sendable, Equatable {
  /// How a file names a profile's section.
  enum Headings {
    /// `[NAME]`
    case credentials
    /// `[profile NAME]` and `[default]`
    case configuration
  }

  /// The keys of each profile, in lower case.
  private(set) var profiles: [String: [String: String]] = [:]

  init(_ text: String, headings: Headings) {
    var profile: String?
    // Of the last key in this section.
    var indentation: Int?
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let content = Self.trimmed(line)
      guard let first = content.first, first != UInt8(ascii: "#"), first != UInt8(ascii: ";") else { continue }
      let depth = line.prefix(while: Self.isBlank).count
      if let indentation, depth > indentation { continue }
      if first == UInt8(ascii: "["), let end = content.lastIndex(of: UInt8(ascii: "]")) {
        let heading = String(decoding: content[content.index(after: content.startIndex)..<end], as: UTF8.self)
        profile = headings == .credentials ? heading : Self.profile(heading)
        indentation = nil
        if let profile { profiles[profile, default: [:]].merge([:]) { $1 } }
      } else if let end = content.firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") }) {
        indentation = depth
        guard let profile else { continue }
        let key = String(decoding: Self.trimmed(content[..<end]), as: UTF8.self).lowercased()
        let value = String(decoding: Self.trimmed(content[content.index(after: end)...]), as: UTF8.self)
        profiles[profile, default: [:]][key] = value
      }
    }
  }

  /// The profile that a section of the configuration is about; nil: of something else.
  private static func profile(_ heading: String) -> String? {
    if heading == "default" { return heading }
    let words = heading.split(maxSplits: 1) { $0 == " " || $0 == "\t" }
    guard words.count == 2, words[0] == "profile" else { return nil }
    let name = words[1].drop { $0 == " " || $0 == "\t" }
    for quote in ["\"", "'"] where name.count >= 2 && name.hasPrefix(quote) && name.hasSuffix(quote) {
      return String(name.dropFirst().dropLast())
    }
    return String(decoding: trimmed(name.utf8), as: UTF8.self)
  }

  private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    var text = text.drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || (0x09...0x0d).contains(byte)
  }
}
