package import SystemPackage

/// A store behind the peers, as a server needs to know it.
package struct UpstreamSettings: Sendable, Equatable {
  /// What the URL's scheme says.
  package enum Kind: Sendable {
    /// Layer 1: GET and PUT.
    case http
    /// Layer 2: Amazon's protocol.
    case s3
  }

  /// How objects are named in an HTTP store.
  package enum Layout: String, Sendable, CaseIterable {
    /// `NAMESPACE/KEY` below the URL.
    case plain
    /// `/ac/KEY` and `/cas/DIGEST`, as Bazel's caches insist on.
    case bazel
  }

  /// `https://HOST[:PORT][/PATH]`, `http://…` or `s3://BUCKET[/PREFIX]`, without a user or a password.
  package var url: String
  package var isReadOnly: Bool
  /// The most that the beginning of an answer is waited for, in milliseconds.
  package var timeout: Int
  /// Certificates of authorities, in PEM, in place of the system's.
  package var authorityFile: FilePath?
  /// For `Authorization: Bearer`.
  package var token: Secret?
  package var layout: Layout
  /// S3: nil: from the environment or the profile.
  package var region: String?
  /// S3: where the store is, if it is not Amazon's: `http[s]://HOST[:PORT]`.
  package var endpoint: String?
  /// S3: whose credentials are used; nil: from the environment, or `default`.
  package var profile: String?

  package static let defaultTimeout = 2000

  package init(
    url: String, isReadOnly: Bool = false, timeout: Int = defaultTimeout, authorityFile: FilePath? = nil,
    token: Secret? = nil, layout: Layout = .plain, region: String? = nil, endpoint: String? = nil,
    profile: String? = nil
  ) {
    self.url = url
    self.isReadOnly = isReadOnly
    self.timeout = timeout
    self.authorityFile = authorityFile
    self.token = token
    self.layout = layout
    self.region = region
    self.endpoint = endpoint
    self.profile = profile
  }

  package var kind: Kind { url.hasPrefix("s3://") ? .s3 : .http }

  package var layer: CacheLayerName { kind == .s3 ? .s3 : .regional }
}

extension UpstreamSettings {
  /// The fields of a ``ServerConfiguration``'s message: `upstream.0.url`, `upstream.0.timeout`, …
  package static func fields(of list: [UpstreamSettings]) -> [String: String] {
    var fields: [String: String] = [:]
    for (number, settings) in list.enumerated() {
      for (name, value) in settings.fields { fields["upstream.\(number).\(name)"] = value }
    }
    return fields
  }

  private var fields: [(String, String?)] {
    [
      ("url", url), ("read_only", isReadOnly ? "1" : nil), ("timeout", String(timeout)),
      ("ca_file", authorityFile?.string), ("token", token?.text), ("layout", layout.rawValue), ("region", region),
      ("endpoint", endpoint), ("profile", profile),
    ]
  }

  package static func list(fields: [String: String]) -> [UpstreamSettings] {
    var list: [UpstreamSettings] = []
    while let url = fields["upstream.\(list.count).url"] {
      func value(_ name: String) -> String? { fields["upstream.\(list.count).\(name)"] }
      list.append(
        UpstreamSettings(
          url: url, isReadOnly: value("read_only") == "1",
          timeout: value("timeout").flatMap { Int($0) } ?? defaultTimeout,
          authorityFile: value("ca_file").map { FilePath($0) }, token: value("token").map { Secret($0) },
          layout: value("layout").flatMap(Layout.init(rawValue:)) ?? .plain, region: value("region"),
          endpoint: value("endpoint"), profile: value("profile")))
    }
    return list
  }
}
