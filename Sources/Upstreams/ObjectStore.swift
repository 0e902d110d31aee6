import CacheStore

/// What a kind of store wants in a request, and what its answers mean. Called on the engine's thread.
protocol ObjectStore: Sendable {
  /// The first request for an object.
  ///
  /// - Parameter now: seconds since 1970.
  /// - Throws: why none can be made: the user's credentials cannot be read, say.
  func request(
    _ method: UpstreamRequest.Method, _ name: ObjectName, now: Int64
  ) throws(UpstreamProblem) -> UpstreamRequest

  /// Whether objects are kept as ``BazelLayout`` has it, so that `request` is about an `ActionResult`.
  var isBazel: Bool { get }

  /// Where a blob is, for ``isBazel``.
  func blobURL(_ digest: Digest) -> String?

  /// What an answer that is not a success means; nil: there is no such object.
  ///
  /// - Parameter body: its beginning, of at most ``StoreAnswer/bodyLimit`` bytes.
  func problem(_ answer: StoreAnswer, method: UpstreamRequest.Method) -> UpstreamProblem?

  /// Learns from an answer: other credentials, the store's clock. True: the same request should be made once more.
  func learn(from answer: StoreAnswer, to refused: UpstreamRequest) -> Bool
}

extension ObjectStore {
  var isBazel: Bool { false }
  func learn(from answer: StoreAnswer, to refused: UpstreamRequest) -> Bool { false }
  func blobURL(_ digest: Digest) -> String? { nil }
}

/// An answer that is not a success.
struct StoreAnswer: Sendable {
  /// Bytes of a body that are looked at.
  static let bodyLimit = 8192

  let head: AnswerHead
  let body: [UInt8]
  var status: Int { head.status }
}

/// What is wrong with a store, for the user and for what is done about it.
struct UpstreamProblem: Error, Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// It may be over with the next request.
    case passing
    /// Until somebody changes something: there is no use in asking for every object.
    case lasting
    /// Of this object alone.
    case ofObject
  }

  let kind: Kind
  /// What is wrong and what to do, as it follows the store's name: ` refuses the credentials (403): check …`, or with a
  /// colon, `: the clock …`.
  let text: String
}
