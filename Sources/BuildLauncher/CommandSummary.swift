/// A command as it is shown to whoever ran it, later: short, on one line, and without what looks like a secret.
struct CommandSummary {
  /// Scalars.
  private static let limit = 200
  /// What the names of secrets hold.
  private static let signs = ["token", "secret", "passw", "key", "credential", "auth"]

  let text: String

  init(_ words: [[UInt8]]) {
    // A line for a shell has words of its own.
    let shown = Self.hideSecrets(words.map { String(decoding: $0, as: UTF8.self) }) { word in
      let inner = word.split(whereSeparator: \.isWhitespace).map(String.init)
      return inner.count > 1 ? "'\(Self.hideSecrets(inner) { $0 }.joined(separator: " "))'" : word
    }
    let line = shown.map { $0.isEmpty ? "''" : $0 }.joined(separator: " ")
    text = line.unicodeScalars.count > Self.limit ? String(line.unicodeScalars.prefix(Self.limit)) + "…" : line
  }

  /// - Parameter show: what a word without a name is shown as.
  private static func hideSecrets(_ words: [String], show: (String) -> String) -> [String] {
    var hidesNext = false
    return words.map { word in
      defer { hidesNext = announcesSecret(word) }
      if hidesNext, !word.hasPrefix("-") { return "…" }
      // A header, as `curl -H` takes it, or a name with a password behind.
      if let colon = word.firstIndex(of: ":"), !word.contains("://"),
        word.contains(where: \.isWhitespace) || isSecret(String(word[..<colon]))
      {
        return "\(word[..<colon]):…"
      }
      let shown = show(word)
      guard shown == word, let equals = word.firstIndex(of: "="), isSecret(String(word[..<equals])) else {
        return withoutPassword(shown)
      }
      return "\(word[..<equals])=…"
    }
  }

  /// Whether the next word may be a secret.
  private static func announcesSecret(_ word: String) -> Bool {
    if word.hasSuffix(":") || ["bearer", "basic"].contains(word.lowercased()) { return true }
    guard word.hasPrefix("-"), !word.contains("=") else { return false }
    return ["-u", "-p", "--user"].contains(word) || isSecret(word)
  }

  private static func isSecret(_ name: String) -> Bool {
    let name = name.lowercased()
    return signs.contains { name.contains($0) }
  }

  /// `https://ada:secret@host/` becomes `https://…@host/`.
  private static func withoutPassword(_ word: String) -> String {
    guard let scheme = word.firstRange(of: "://") else { return word }
    let rest = word[scheme.upperBound...]
    guard let at = rest.prefix(while: { $0 != "/" }).lastIndex(of: "@") else { return word }
    return word[..<scheme.upperBound] + "…" + rest[at...]
  }
}
