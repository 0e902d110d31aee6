import ControlProtocol
import SystemPackage

/// A key of an `[[upstream]]`. The list is the reference: the file's grammar and the documentation's tests read it.
package enum UpstreamKey: String, CaseIterable, Sendable {
  case url
  case readOnly = "read_only"
  case timeout
  case authorityFile = "ca_file"
  case token
  case layout
  case region
  case endpoint
  case profile

  /// The table's name.
  package static let table = "upstream"
  /// The variable that takes the place of all `[[upstream]]` of the files: URLs, separated by commas.
  package static let variable = "FABRIK_UPSTREAM"

  /// What the key takes, for messages.
  var expectation: String {
    switch self {
    case .url: "a URL, such as \"https://cache.example.com\" or \"s3://bucket/prefix\""
    case .readOnly: "true or false"
    case .timeout: "a duration from 50ms to 60s, such as \"2s\""
    case .authorityFile: "the path of a file with certificates, in PEM"
    case .token: "a token, such as \"${CACHE_TOKEN}\""
    case .layout: "\"plain\" or \"bazel\""
    case .region: "a region, such as \"eu-central-1\""
    case .endpoint: "a URL, such as \"http://localhost:9000\""
    case .profile: "the name of a profile in ~/.aws"
    }
  }

  /// Whether `true` and `false` may stand there without quotes.
  var isSwitch: Bool { self == .readOnly }
  /// Whether a number may stand there without quotes.
  var isNumber: Bool { self == .timeout }
}
