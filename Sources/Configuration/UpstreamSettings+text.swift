import ControlProtocol
import SystemPackage
import SystemSupport

extension UpstreamSettings {
  /// The most that may be configured: each costs a miss a round trip.
  static let mostUpstreams = 4

  /// Takes over one value given as text. Returns what is wrong with it, as the end of a sentence; nil: nothing.
  mutating func set(_ key: UpstreamKey, to text: String, relativeTo base: FilePath) -> String? {
    // What holds a password is not shown.
    let wrong = "takes \(key.expectation)" + (key == .token || text.contains("@") ? "" : ", not '\(text)'")
    // A variable that is not set, with an empty default.
    if text.isEmpty, [.token, .authorityFile, .region, .endpoint, .profile].contains(key) { return nil }
    let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
    guard isPlain else { return wrong }
    switch key {
    case .url:
      if let flaw = Self.flaw(ofURL: text) { return flaw }
      url = text
    case .readOnly:
      guard let value = Bool(setting: text) else { return wrong }
      isReadOnly = value
    case .timeout:
      guard let duration = Duration(text: text), (50...60_000).contains(duration.inMilliseconds) else { return wrong }
      timeout = Int(duration.inMilliseconds)
    case .authorityFile:
      if text.hasPrefix("~") { return "does not know '~'; write ${HOME}\(text.dropFirst())" }
      authorityFile = base.pushing(FilePath(text)).lexicallyNormalized()
    case .token: token = Secret(text)
    case .layout:
      guard let value = Layout(rawValue: text) else { return wrong }
      layout = value
    case .region: region = text
    case .endpoint:
      if text.contains("@") { return "holds a password; credentials belong into the environment or ~/.aws" }
      guard Self.host(of: text, scheme: "http") != nil || Self.host(of: text, scheme: "https") != nil else {
        return wrong
      }
      endpoint = text
    case .profile: profile = text
    }
    return nil
  }

  /// What is wrong with an upstream as a whole, and with which key; nil: nothing.
  var flaw: (UpstreamKey, String)? {
    if url.isEmpty { return (.url, "is missing") }
    let others: [(UpstreamKey, Bool)] =
      kind == .s3
      ? [(.token, token != nil), (.layout, layout != .plain)]
      : [(.region, region != nil), (.endpoint, endpoint != nil), (.profile, profile != nil)]
    guard let (key, _) = others.first(where: \.1) else { return nil }
    return (key, kind == .s3 ? "is for upstreams by http" : "is for upstreams by s3")
  }

  static func flaw(ofURL text: String) -> String? {
    for scheme in ["https", "http", "s3"] {
      guard let authority = host(of: text, scheme: scheme) else { continue }
      if authority.contains("@") {
        // It would be shown in messages.
        return scheme == "s3"
          ? "holds an '@'; a bucket has none" : "holds a password; put that into ~/.netrc, or set a token"
      }
      if scheme != "s3", !text.unicodeScalars.allSatisfy(isAllowed) {
        return "has a character that a URL may not have; write it as %20, say"
      }
      if text.contains("?") || text.contains("#") && scheme != "s3" { return "has a '?' or '#', which it may not" }
      return nil
    }
    return "takes \(UpstreamKey.url.expectation)\(text.contains("@") ? "" : ", not '\(text)'")"
  }

  /// Whether RFC 3986 has the character in a URL.
  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    (0x21...0x7e).contains(scalar.value) && !"\"<>\\^`{|}".unicodeScalars.contains(scalar)
  }

  /// The host with its port; nil when it is not of this scheme, or has none.
  private static func host(of text: String, scheme: String) -> Substring? {
    guard text.hasPrefix("\(scheme)://") else { return nil }
    let host = text.dropFirst(scheme.count + 3).prefix { $0 != "/" }
    return host.isEmpty || host.contains(" ") ? nil : host
  }
}
