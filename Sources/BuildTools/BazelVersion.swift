/// Which flags a Bazel knows.
package struct BazelVersion: Sendable, Equatable {
  package let major: Int

  package init(major: Int) {
    self.major = major
  }

  /// Of `bazel --version`. A Bazel that was built without a version is taken for an old one.
  package init?(printed text: String) {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count >= 2, words[0] == "bazel" else { return nil }
    self.init(major: Int(words[1].prefix { $0.isNumber }) ?? 0)
  }

  /// As Bazelisk is told: `7.1.0`, `6.x`, `latest`, `last_green`.
  package init?(wanted text: String) {
    let text = text.split(separator: "/").last ?? ""
    // A commit's hash may begin with digits, too.
    if let number = text.split(separator: ".").first, let major = Int(number), major < 1000 {
      self.init(major: major)
    } else if ["latest", "last_", "rolling"].contains(where: text.hasPrefix) {
      self.init(major: .max)
    } else {
      return nil
    }
  }
}
