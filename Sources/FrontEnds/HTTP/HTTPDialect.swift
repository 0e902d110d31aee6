package import CacheStore

/// How one build tool speaks HTTP to a cache: what its requests mean, and what it insists on in answers. Pure: bytes
/// are moved, and statistics kept, by whoever asks.
package protocol HTTPDialect: Sendable {
  /// What its paths begin with: `/` and a word.
  static var root: String { get }

  /// The build tool that speaks it, by the name it has for `--tool`.
  static var tool: String { get }

  static func meaning(of request: HTTPCacheRequest) -> HTTPCacheRequest.Meaning

  /// Headers that go with a body, each with its line end.
  static func headers(of body: HTTPBodyFacts) -> String
}

extension HTTPDialect {
  package static func headers(of body: HTTPBodyFacts) -> String { "" }
}

/// All dialects. Adding one touches its own file and this list.
package enum HTTPDialects {
  package static let all: [any HTTPDialect.Type] = [
    CCacheProtocol.self, SccacheProtocol.self, BazelProtocol.self, GradleProtocol.self, TurborepoProtocol.self,
    NxProtocol.self, VcpkgProtocol.self,
  ]

  /// The dialect of a request's target, and what of the target it has to look at.
  package static func find(_ target: String) -> (dialect: any HTTPDialect.Type, target: Substring)? {
    let bytes = target.utf8
    for dialect in all where bytes.starts(with: dialect.root.utf8) {
      let rest = bytes.dropFirst(dialect.root.utf8.count)
      if rest.first == UInt8(ascii: "/") { return (dialect, Substring(rest)) }
    }
    return nil
  }
}

/// One request, without its body.
package struct HTTPCacheRequest {
  /// `GET`, `PUT`, …
  package let method: String
  /// Behind the dialect's root: begins with a slash, ends before the query.
  package let path: Substring
  private let headers: (String) -> String?

  /// - Parameters:
  ///   - target: behind the dialect's root; may have a query.
  ///   - header: gives the first value of a header, by its name in lower case.
  package init(method: String, target: Substring, header: @escaping (String) -> String?) {
    self.method = method
    path = Substring(target.utf8.prefix { $0 != UInt8(ascii: "?") })
    headers = header
  }

  package func header(_ name: String) -> String? { headers(name) }

  /// What the tool wants.
  package enum Meaning: Sendable, Equatable {
    /// The body of an entry. `note` is a small entry beside it, which ``HTTPBodyFacts`` is to hold.
    case get(CacheKey, note: CacheKey? = nil)
    /// The body of an entry that names others, and is worth nothing without them.
    case getWhole(CacheKey)
    case exists(CacheKey, note: CacheKey? = nil)
    case put(CacheKey, HTTPPutTerms)
    case remove(CacheKey)
    /// No entry is touched.
    case reply(HTTPReply)

    /// What is said to a request that is none of the dialect's: a miss to whoever wants to read.
    package static func nothing(for method: String) -> Self {
      .reply(method == "GET" || method == "HEAD" ? .notFound : .notAllowed)
    }
  }
}

extension HTTPCacheRequest {
  /// What most tools mean by GET, HEAD and PUT of an entry.
  ///
  /// - Parameters:
  ///   - note: a small entry beside it.
  ///   - isRemovable: whether the tool may remove it by DELETE.
  ///   - terms: of a put.
  func meaning(
    of key: CacheKey, note: CacheKey? = nil, isRemovable: Bool = false, put terms: @autoclosure () -> HTTPPutTerms
  ) -> Meaning {
    switch method {
    case "GET": .get(key, note: note)
    case "HEAD": .exists(key, note: note)
    case "PUT": .put(key, terms())
    case "DELETE" where isRemovable: .remove(key)
    default: .nothing(for: method)
    }
  }
}

/// How a body is to be stored.
package struct HTTPPutTerms: Sendable, Equatable {
  /// How it is known how long the tool took to make the body.
  package enum Timing: Sendable, Equatable {
    /// Not at all.
    case none
    /// It took from the connection's first miss to its first put: for tools that have a connection for each job.
    case connection
    /// It took from the miss of the same key to its put.
    case key
    /// The tool says so; milliseconds.
    case stated(UInt32)
  }

  package var mode: EntryWriter.Mode
  package var timing: Timing
  /// Any other body is refused.
  package var expected: Digest?
  /// A small entry beside it, stored with it.
  package var note: Note?
  /// What is said when there is an entry already that stays.
  package var existing: HTTPReply

  package struct Note: Sendable, Equatable {
    package let key: CacheKey
    package let body: [UInt8]
  }

  package init(
    mode: EntryWriter.Mode, timing: Timing, expected: Digest? = nil, note: Note? = nil, existing: HTTPReply = .ok
  ) {
    self.mode = mode
    self.timing = timing
    self.expected = expected
    self.note = note
    self.existing = existing
  }
}

/// What is known of a body that is about to be sent.
package struct HTTPBodyFacts: Sendable {
  /// Bytes.
  package let size: UInt64
  /// Milliseconds the tool once took to make it; nil when not known.
  package let duration: UInt32?
  /// The body of the small entry beside it.
  package let note: [UInt8]?

  package init(size: UInt64, duration: UInt32?, note: [UInt8]? = nil) {
    self.size = size
    self.duration = duration
    self.note = note
  }
}

/// An answer that is not an entry's body.
package struct HTTPReply: Sendable, Equatable {
  package let status: Int
  /// Each with its line end.
  package let headers: String
  package let body: String

  package init(_ status: Int, headers: String = "", body: String = "") {
    self.status = status
    self.headers = headers
    self.body = body
  }

  package static func json(_ text: String) -> HTTPReply {
    HTTPReply(200, headers: "Content-Type: application/json\r\n", body: text)
  }

  package static let ok = HTTPReply(200)
  /// The body is not the one that its key stands for.
  package static let mismatch = HTTPReply(400)
  /// Turborepo's client wants to see the error in this form.
  package static let refused = HTTPReply(
    403, headers: "Content-Type: application/json\r\n",
    body: #"{"error":{"code":"forbidden","message":"the token is not this server's"}}"#)
  package static let notFound = HTTPReply(404)
  package static let notAllowed = HTTPReply(405)
  package static let conflict = HTTPReply(409)

  private var reason: String {
    switch status {
    case 200: "OK"
    case 207: "Multi-Status"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 409: "Conflict"
    default: "Other"
    }
  }

  /// The whole answer as it goes over the wire.
  ///
  /// - Parameter isBodyless: whether it is one to HEAD, which has no body, but says how long it would be.
  package func text(isKeptAlive: Bool, isBodyless: Bool = false) -> String {
    let end = isKeptAlive ? "\r\n" : "Connection: close\r\n\r\n"
    return "HTTP/1.1 \(status) \(reason)\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\(end)"
      + (isBodyless ? "" : body)
  }
}
