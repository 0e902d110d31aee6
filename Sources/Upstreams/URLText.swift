/// Parts of URLs.
enum URLText {
  static func withoutTrailingSlashes(_ url: String) -> String {
    var result = url[...]
    while result.hasSuffix("/") { result = result.dropLast() }
    return String(result)
  }

  /// `scheme://host[:port]` of an absolute URL, in lower case; nil for anything else.
  static func origin(of url: String) -> String? {
    guard let scheme = url.firstRange(of: "://") else { return nil }
    let rest = url[scheme.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard !authority.isEmpty else { return nil }
    let (name, host) = (url[..<scheme.lowerBound].lowercased(), authority.lowercased())
    for (known, port) in [("http", ":80"), ("https", ":443")] where known == name && host.hasSuffix(port) {
      return "\(name)://\(host.dropLast(port.count))"
    }
    return "\(name)://\(host)"
  }

  /// Where a `Location` leads from a URL, if that is on the same host, at the same port, by the same scheme.
  static func redirection(from url: String, to location: String) -> String? {
    guard let origin = origin(of: url) else { return nil }
    // A path alone stays; `//host/…` does not.
    let target = location.hasPrefix("/") && !location.hasPrefix("//") ? origin + location : location
    return Self.origin(of: target) == origin ? target : nil
  }
}
