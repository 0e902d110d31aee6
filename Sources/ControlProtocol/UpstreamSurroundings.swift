package import SystemSupport

/// Variables of a build's environment that say how stores are reached, and with which credentials. A server's own
/// environment is that of the build that started it, which may be days old.
package struct UpstreamSurroundings: Sendable, Equatable {
  /// Everything Amazon's programs read, and what HTTP clients have in common.
  private static let names: Set<String> = [
    "HOME", "NETRC", "HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    "SSL_CERT_FILE", "CURL_CA_BUNDLE",
  ]
  private static let prefix = "AWS_"

  package var variables: [String: String]

  /// - Parameter environment: of the build; what is not needed is left out.
  package init(environment: [String: String] = [:]) {
    variables = environment.filter { Self.names.contains($0.key) || $0.key.hasPrefix(Self.prefix) }
  }

  package init(environment: Environment) {
    let text = environment.entries.lazy.map {
      $0.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
    }
    self.init(
      environment: Dictionary(
        text.filter { $0.count == 2 }.map {
          (String(decoding: $0[0], as: UTF8.self), String(decoding: $0[1], as: UTF8.self))
        }
      ) { first, _ in first })
  }

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
