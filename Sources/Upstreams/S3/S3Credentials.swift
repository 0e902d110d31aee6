import ControlProtocol

/// What requests to S3 are signed with.
struct S3Credentials: Sendable, Equatable {
  /// It goes over the wire in every request, and is not secret.
  var keyIdentifier: String
  var secretKey: Secret
  /// Of temporary credentials only.
  var sessionToken: Secret?
}
