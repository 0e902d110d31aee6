/// Makes text from the network fit to be shown on a terminal or in a notification.
package enum DisplayText {
  /// The longest name that is shown.
  package static let longestName = 64

  /// A machine's name: never empty, on one line, at most ``longestName`` scalars.
  package static func name(_ text: String) -> String {
    let clean = clean(text, limit: longestName)
    return clean.isEmpty ? "unnamed" : clean
  }

  /// The printable part of a text, up to so many scalars. Control characters, those that turn the direction of writing
  /// or take no room, and piles of accents are left out; other blanks become spaces.
  package static func clean(_ text: String, limit: Int) -> String {
    var result = String.UnicodeScalarView()
    var count = 0
    var marks = 0
    for scalar in text.unicodeScalars where count < limit {
      switch scalar.properties.generalCategory {
      case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: continue
      case .spaceSeparator:
        guard !result.isEmpty, result.last != " " else { continue }
        result.append(" ")
      case .nonspacingMark, .enclosingMark, .spacingMark:
        marks += 1
        guard marks <= 2, !result.isEmpty else { continue }
        result.append(scalar)
        count += 1
        continue
      default: result.append(scalar)
      }
      marks = 0
      count += 1
    }
    if result.last == " " { result.removeLast() }
    return String(result)
  }
}
