import ControlProtocol

/// Where the objects of an upstream are: a bucket, a prefix in it, and the server that has them.
struct S3Location: Sendable, Equatable {
  let bucket: String
  /// Without slashes at its ends; may be empty.
  let prefix: String
  let region: String
  /// `http` or `https`.
  let scheme: String
  /// The `Host` header: without the port where it is the scheme's own.
  let host: String
  /// The way to the bucket's objects, encoded, with a slash at its end.
  private let base: String

  /// - Parameters:
  ///   - environment: The user's variables, of which `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION` and
  ///     `AWS_DEFAULT_REGION` count where the settings say nothing.
  ///   - profile: The user's profile in Amazon's files, which counts last.
  init(settings: UpstreamSettings, environment: [String: String] = [:], profile: [String: String] = [:])
    throws(S3Problem)
  {
    func firstSet(_ values: String?...) -> String? { values.lazy.compactMap { $0 }.first { !$0.isEmpty } }

    let scheme = "s3://"
    guard settings.url.hasPrefix(scheme) else { throw S3Problem("\(settings.url) is no s3://BUCKET[/PREFIX]") }
    let place = settings.url.dropFirst(scheme.count)
    bucket = String(place.prefix { $0 != "/" })
    guard Self.isBucketName(bucket) else {
      throw S3Problem("'\(bucket)' is no bucket's name: url is s3://BUCKET[/PREFIX]")
    }
    prefix = Self.withoutSlashes(place.dropFirst(bucket.count))
    // Engines and proxies resolve such names, or refuse them.
    guard !prefix.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
      throw S3Problem("a prefix in a bucket cannot have '.' or '..' in it: \(settings.url)")
    }

    let region =
      firstSet(settings.region, environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"], profile["region"])
      ?? "us-east-1"
    guard Self.isRegion(region) else { throw S3Problem("'\(region)' is no region's name, such as eu-west-1") }
    self.region = region

    let named = firstSet(
      settings.endpoint, environment["AWS_ENDPOINT_URL_S3"], environment["AWS_ENDPOINT_URL"], profile["endpoint_url"])
    let endpoint = if let named { try Endpoint(named) } else { try Endpoint.amazon(region: region) }
    self.scheme = endpoint.scheme
    if endpoint.isAmazon, Self.canBeHostName(bucket) {
      host = "\(bucket).\(endpoint.authority)"
      base = endpoint.path
    } else {
      host = endpoint.authority
      base = "\(endpoint.path)\(bucket)/"
    }
  }

  /// The object's path on the server, encoded as it is sent and signed.
  ///
  /// - Parameter name: below the prefix; any text.
  func path(for name: String) -> String {
    base + RequestSigner.canonicalPath(prefix.isEmpty ? name : "\(prefix)/\(name)")
  }

  func url(for name: String) -> String { origin + path(for: name) }

  /// The part of a URL that is before its path.
  var origin: String { "\(scheme)://\(host)" }

  /// Old buckets have capital letters, underscores and up to 255 characters.
  private static func isBucketName(_ name: String) -> Bool {
    (1...255).contains(name.utf8.count) && name.utf8.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
      && name.utf8.contains(where: isAlphanumeric)
  }

  static func isRegion(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { isAlphanumeric($0) || "-_".utf8.contains($0) }
  }

  /// Whether the bucket can stand in a host's name: there is no capital letter, and no dot, for which no certificate
  /// of the store's would do.
  private static func canBeHostName(_ bucket: String) -> Bool {
    (3...63).contains(bucket.utf8.count) && !bucket.hasPrefix("-") && !bucket.hasSuffix("-")
      && bucket.utf8.allSatisfy { byte in
        isAlphanumeric(byte) && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "-")
      }
  }

  fileprivate static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  fileprivate static func withoutSlashes(_ text: Substring) -> String {
    let start = text.drop { $0 == "/" }
    return String(start.reversed().drop { $0 == "/" }.reversed())
  }
}

extension S3Location {
  /// A server, as the user names it: `http[s]://HOST[:PORT][/PATH]`.
  private struct Endpoint {
    let scheme: String
    /// Lower-case; the port only if it is not the scheme's own.
    let authority: String
    /// Encoded, with a slash at both ends.
    let path: String
    /// Whether the server is Amazon's, which wants buckets to be hosts.
    let isAmazon: Bool

    static func amazon(region: String) throws(S3Problem) -> Endpoint {
      try Endpoint("https://s3.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")")
    }

    init(_ text: String) throws(S3Problem) {
      let problem = S3Problem("endpoint '\(text)' is no http[s]://HOST[:PORT][/PATH]")
      let lowercase = text.lowercased()
      guard let scheme = ["https", "http"].first(where: { lowercase.hasPrefix("\($0)://") }) else { throw problem }
      let rest = text.dropFirst(scheme.count + 3)
      let authority = rest.prefix { $0 != "/" }.lowercased()
      let path = S3Location.withoutSlashes(rest.dropFirst(authority.count))
      guard text.isHeaderToken, !text.contains("?"), !text.contains("#"),
        let (host, port) = Self.hostAndPort(authority)
      else { throw problem }
      self.scheme = scheme
      let ownPort: UInt16 = scheme == "https" ? 443 : 80
      self.authority = port.map { $0 == ownPort ? host : "\(host):\($0)" } ?? host
      self.path = path.isEmpty ? "/" : "/\(RequestSigner.canonicalPath(PercentEncoding.decode(path)))/"
      isAmazon =
        ["s3.", "s3-"].contains { host.hasPrefix($0) }
        && [".amazonaws.com", ".amazonaws.com.cn"].contains { host.hasSuffix($0) }
    }

    private static func hostAndPort(_ authority: String) -> (host: String, port: UInt16?)? {
      let isBracketed = authority.hasPrefix("[")
      let host: Substring
      if isBracketed {
        guard let end = authority.firstIndex(of: "]") else { return nil }
        host = authority[...end]
      } else {
        host = authority.prefix { $0 != ":" }
      }
      let isAddress = host.dropFirst().dropLast().utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || ":.".utf8.contains($0)
      }
      let isName = host.utf8.allSatisfy { S3Location.isAlphanumeric($0) || "-_.".utf8.contains($0) }
      guard !host.isEmpty, isBracketed ? host != "[]" && isAddress : isName else { return nil }
      let rest = authority[host.endIndex...]
      if rest.isEmpty { return (String(host), nil) }
      let digits = rest.dropFirst()
      guard rest.hasPrefix(":"), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits),
        port > 0
      else { return nil }
      return (String(host), port)
    }
  }
}
