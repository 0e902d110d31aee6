/// A request to a store, ready to be sent: everything that the store will check is in it.
struct UpstreamRequest: Sendable, Equatable {
  enum Method: String, Sendable {
    case get = "GET"
    case put = "PUT"
    case delete = "DELETE"
  }

  var method: Method
  /// Absolute; every byte that RFC 3986 does not allow is percent-encoded.
  var url: String
  /// In the order in which they are sent. `Host` and `Content-Length` follow from the rest.
  var headers: [Header] = []

  struct Header: Sendable, Equatable {
    var name: String
    var value: String
  }
}
