package import SystemSupport

/// Variables of a build's environment that say how stores are reached, and with which credentials. A server's own
/// environment is that of the build that started it, which may be days old.
package struct UpstreamSurroundings: Sendable, Equatable {
  /// Everything Amazon's programs read, and what HTTP clients have in common.
  private static let names: Set<String> = [
    "HOME", "NETRC", "HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    "SSL_CERT_FILE", "CURL_CA_BUNDLE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
    "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE",
  ]

  package var variables: [String: String]

  /// - Parameter environment: of the build; what is not needed is left out.
  package init(environment: [String: String] = [:]) {
    variables = environment.filter { Self.names.contains($0.key) }
  }

  package init(environment: Environment) {
    variables = Self.names.reduce(into: [:]) { $0[$1] = environment[$1] }
  }

  /// Whether they say with which credentials S3 is asked.
  package var hasCredentials: Bool { self["AWS_ACCESS_KEY_ID"] != nil || self["AWS_PROFILE"] != nil }

  package subscript(name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }

  /// The fields of a message, with a prefix that sets them apart.
  package var fields: [String: String] {
    Dictionary(uniqueKeysWithValues: variables.map { ("env.\($0.key)", $0.value) })
  }

  package init(fields: [String: String]) {
    self.init(
      environment: Dictionary(
        uniqueKeysWithValues: fields.filter { $0.key.hasPrefix("env.") }.map { (String($0.key.dropFirst(4)), $0.value) }
      ))
  }
}
