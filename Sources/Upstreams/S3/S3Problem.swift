import SystemSupport

/// Something in the settings or in the user's files keeps requests from being made.
struct S3Problem: Error, Equatable, CustomStringConvertible {
  /// What is wrong and what to do about it, on one line.
  let description: String

  init(_ description: String) {
    self.description = DisplayText.clean(description, limit: 1000)
  }
}
