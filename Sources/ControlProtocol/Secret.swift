/// A text that nobody else may see: a team's secret, a token. It shows itself to nobody who prints it by mistake.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// The secret itself: never to be put into an argument, an environment, a log or a message to the user.
  package let text: String

  package init(_ text: String) {
    self.text = text
  }

  /// What stands in the secret's place.
  package static let redaction = "<redacted>"

  package var description: String { Self.redaction }
  package var debugDescription: String { Self.redaction }
  package var customMirror: Mirror { Mirror(self, children: [:]) }
}
