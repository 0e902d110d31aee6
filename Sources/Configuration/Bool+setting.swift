extension Bool {
  /// A switch as it may be written; nil for anything else.
  package init?(setting text: String) {
    switch text {
    case "true", "on", "yes", "1": self = true
    case "false", "off", "no", "0": self = false
    default: return nil
    }
  }
}
