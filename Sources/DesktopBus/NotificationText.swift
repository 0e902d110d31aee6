/// What a notification says, in the form it is sent in.
enum NotificationText {
  static let titleLimit = 160
  static let bodyLimit = 800

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
}
