import ControlProtocol
import SystemSupport

/// What requests to S3 are signed with.
struct S3Credentials: Sendable, Equatable {
  /// It goes over the wire in every request, and is not secret.
  var keyIdentifier: String
  var secretKey: Secret
  /// Of temporary credentials only.
  var sessionToken: Secret?
}

/// Something in the settings or in the user's files keeps requests from being made.
struct S3Problem: Error, Equatable, CustomStringConvertible {
  /// What is wrong and what to do about it, on one line.
  let description: String

  init(_ description: String) {
    self.description = DisplayText.clean(description, limit: 1000)
  }
}
