/// Makes text that others chose fit for a terminal, a log or a notification: nothing in it is obeyed, hides, reorders or
/// looks like another line.
package enum DisplayText {
  /// The longest name that is shown.
  package static let longestName = 64
  /// Scalars that are looked at for each that may be shown: there may be any number of those that are left out.
  private static let mostLookedAt = 8
  /// More accents on one character cover the lines above.
  private static let mostMarks = 2

  /// A machine's name: never empty, on one line, at most ``longestName`` scalars.
  package static func name(_ text: some StringProtocol) -> String {
    let clean = clean(text, limit: longestName)
    return clean.isEmpty ? "unnamed" : clean
  }

  /// The part of a text that can be shown: at most `limit` scalars, with "…" in the last one's place when it was cut. Blanks
  /// become single spaces; control characters, those that turn the direction of writing or cannot be seen, and piles of
  /// accents are left out.
  ///
  /// - Parameter keepsLines: whether ends of lines stay.
  package static func clean(_ text: some StringProtocol, limit: Int, keepsLines: Bool = false) -> String {
    var result = String.UnicodeScalarView()
    var count = 0
    var marks = 0
    var isBlankDue = false
    func append(_ scalar: Unicode.Scalar) {
      result.append(scalar)
      count += 1
    }
    for scalar in text.unicodeScalars.prefix(limit * mostLookedAt) {
      let isMark = isMark(scalar)
      if keepsLines, scalar == "\n" {
        isBlankDue = false
        if count > 0, count < limit { append(scalar) }
        continue
      }
      if scalar.properties.isWhitespace {
        isBlankDue = count > 0 && result.last != "\n"
        continue
      }
      guard isShown(scalar) else { continue }
      marks = isMark ? marks + 1 : 0
      if isMark, marks > mostMarks || count == 0 { continue }
      guard count + (isBlankDue ? 1 : 0) < limit else {
        if count == limit { result.removeLast() }
        result.append("…")
        return String(result)
      }
      if isBlankDue { append(" ") }
      isBlankDue = false
      append(scalar)
    }
    while result.last == "\n" { result.removeLast() }
    return String(result)
  }

  private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
    // The controls of the direction and the joiners without width are of category format.
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    // Some letters take no room and leave no ink.
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
