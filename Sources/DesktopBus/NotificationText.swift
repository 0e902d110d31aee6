/// Makes text that strangers chose fit for a notification: nothing in it can hide, reorder or pretend to be markup.
package enum NotificationText {
  /// Characters of a peer's name that are shown.
  package static let nameLimit = 64
  static let titleLimit = 160
  static let bodyLimit = 800

  /// A name on one line, at most 64 characters; "unnamed" when nothing of it can be shown.
  package static func name(_ text: String) -> String {
    let name = shown(text, limit: nameLimit, keepsLines: false)
    return name.isEmpty ? "unnamed" : name
  }

  /// Without characters that cannot be seen or that change the order of others, cut to `limit` characters.
  static func shown(_ text: String, limit: Int, keepsLines: Bool) -> String {
    var result = String.UnicodeScalarView()
    var marks = 0
    // A character may hold any number of combining scalars, and a tower of them covers the lines above.
    for scalar in text.unicodeScalars.prefix(limit * 4) {
      marks = isMark(scalar) ? marks + 1 : 0
      if marks > 2 { continue }
      if keepsLines, scalar == "\n" {
        result.append(scalar)
      } else if scalar.properties.isWhitespace || scalar.properties.generalCategory == .control {
        result.append(" ")
      } else if isVisible(scalar) {
        result.append(scalar)
      }
    }
    let text = String(result)
    let words = text.split(separator: " ").joined(separator: " ")
    return words.count <= limit ? words : words.prefix(limit - 1) + "…"
  }

  /// Escaped for the few tags a notification may hold.
  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&apos;"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }

  private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    // The bidirectional controls and the zero-width joiners are of category format.
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: !scalar.properties.isDefaultIgnorableCodePoint
    }
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .spacingMark: true
    default: false
    }
  }
}
