/// Makes text that is not ours fit for a terminal and a log.
enum PlainText {
  /// At most so many scalars, on one line. What a terminal would obey, or not show, is replaced by `?`.
  static func clean(_ text: some StringProtocol, limit: Int) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(limit) {
      switch scalar {
      case " "..."~": result.append(scalar)
      case "\n", "\r", "\t": result.append(" ")
      default: result.append(isShown(scalar) ? scalar : "?")
      }
    }
    return String(result)
  }

  /// Whether all is printable ASCII without blanks, as it must be to stand in a header.
  static func isToken(_ text: String) -> Bool {
    text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }

  private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber, .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol,
      .otherSymbol, .spaceSeparator:
      true
    default: false
    }
  }
}
