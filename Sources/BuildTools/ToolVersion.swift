/// The first two numbers of a tool's version.
struct ToolVersion: Comparable {
  private let major: Int
  private let minor: Int

  init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// Reads `4.7.5`, `1.25-devel`, `0.16.0~pre6`; nil when the text does not begin with two numbers.
  init?(_ text: Substring) {
    let numbers = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).prefix(2).map { part in
      Int(part.prefix { ("0"..."9").contains($0) })
    }
    guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else { return nil }
    self.init(major, minor)
  }

  static func < (left: ToolVersion, right: ToolVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
}
