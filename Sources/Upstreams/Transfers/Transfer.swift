import NIOCore

/// How the connection to a store is made. The user's proxies and credentials come with each build: a server's own
/// environment is that of the first.
struct ConnectionOptions: Sendable, Equatable {
  /// Certificates of authorities, in PEM; nil: the system's.
  var authorityFile: String?
  /// For `https:` URLs; nil: none.
  var secureProxy: String?
  /// For `http:` URLs; nil: none.
  var plainProxy: String?
  /// Hosts that are reached without a proxy, separated by commas; nil: none.
  var proxyExceptions: String?
  /// nil: none is read.
  var netrcFile: String?
  /// The most that setting up a connection may take, in milliseconds.
  var connectPatience = 2000
}

/// A request on its way, with what becomes of its answer. Owned by the engine from its start to its end; all of its
/// consumer's functions are called on the engine's thread.
final class Transfer {
  let consumer: any TransferConsumer
  let request: UpstreamRequest
  let options: ConnectionOptions
  /// The answer must begin within so many milliseconds after the last of the request was sent.
  let patience: Int
  let upload: (any UploadBody)?

  /// When this was handed to libcurl.
  var begin = NIODeadline.now()
  var head = AnswerHead()
  /// When the head was there.
  var answeredAt: NIODeadline?
  var received: UInt64 = 0
  /// Bytes of the upload that libcurl has taken, and when it took the last.
  var sent: UInt64 = 0
  var sentAt: NIODeadline?
  /// Why the transfer was given up by this side.
  var interruption: TransferFailure?
  private var hasBegun = false

  init(
    _ request: UpstreamRequest, options: ConnectionOptions, patience: Int, upload: (any UploadBody)? = nil,
    consumer: any TransferConsumer
  ) {
    self.request = request
    self.options = options
    self.patience = patience
    self.upload = upload
    self.consumer = consumer
  }

  /// Tells the consumer of the head, once, before the first byte of the body or the end.
  func announceHead() -> Bool {
    guard !hasBegun else { return true }
    hasBegun = true
    return consumer.begin(head)
  }
}

/// Takes an answer.
protocol TransferConsumer: AnyObject {
  /// The head of the answer. False: the rest is of no interest, and the transfer ends with ``TransferFailure/given up``.
  func begin(_ head: AnswerHead) -> Bool
  /// A piece of the body. False: as above.
  func take(_ bytes: UnsafeRawBufferPointer) -> Bool
  /// Whether the body comes too slowly to be waited for. Asked a few times a second.
  func isTooSlow(received: UInt64, since head: NIODeadline) -> Bool
  /// Whether the body of a PUT is taken too slowly. Asked a few times a second, before there is an answer.
  func isTooSlow(sent: UInt64, since begin: NIODeadline) -> Bool
  /// Called once, last; nil: the answer is complete.
  func end(_ failure: TransferFailure?)
}

extension TransferConsumer {
  func isTooSlow(sent: UInt64, since begin: NIODeadline) -> Bool { false }
}

/// The body of a PUT.
protocol UploadBody: AnyObject {
  /// Bytes.
  var size: UInt64 { get }
  /// Fills the buffer from an offset on; fewer bytes only at the end, nil when they cannot be read.
  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int?
}
