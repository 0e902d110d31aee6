import CacheStore
import ChannelSupport
import ControlProtocol
import Glibc
import NIOCore

/// A request to a store, with what it takes to get a real answer: a redirection within the host is followed, and what the
/// store teaches (its clock, credentials that have been renewed) is tried once.
///
/// Confined to the engine's thread once it is started.
class StoreExchange: TransferConsumer, @unchecked Sendable {
  enum Outcome {
    /// A success; the body has been taken.
    case done
    /// The store has no such object.
    case absent
    case problem(UpstreamProblem)
    /// The exchange was given up, which says nothing about the store.
    case nothing
  }

  private static let mostRedirections = 3
  /// For bodies that are small or of no interest; see ``EntryDownload`` for others.
  private static let bodyPatience = TimeAmount.seconds(60)

  let upstream: Upstream
  let engine: TransferEngine
  private let method: UpstreamRequest.Method
  private let name: ObjectName
  private let urgency: TransferEngine.Urgency
  /// What it can be made more urgent by, while it waits.
  private let tag: CacheKey?
  /// Where the request goes; nil: to the URL of the object's name.
  final var target: String?
  private var redirections = 0
  private var hasLearned = false
  /// The last that was made.
  private var request: UpstreamRequest?
  private var head = AnswerHead()
  private var other: [UInt8] = []
  private var begin = NIODeadline.now()
  private(set) var latency: TimeAmount?

  init(
    _ method: UpstreamRequest.Method, _ name: ObjectName, of upstream: Upstream, engine: TransferEngine,
    urgency: TransferEngine.Urgency, tag: CacheKey? = nil
  ) {
    self.method = method
    self.name = name
    self.upstream = upstream
    self.engine = engine
    self.urgency = urgency
    self.tag = tag
  }

  func start() {
    engine.perform(urgency, tag: tag) { self.makeTransfer() }
  }

  private func makeTransfer() -> Transfer? {
    let upload: (any UploadBody)?
    do {
      upload = try makeBody()
    } catch {
      complete(.nothing)
      return nil
    }
    head = AnswerHead()
    other = []
    begin = .now()
    do {
      var request = try upstream.store.request(method, name, now: Self.secondsSince1970)
      if let target { request.url = target }
      self.request = request
      return Transfer(
        request, options: upstream.connectionOptions, patience: patience, upload: upload, consumer: self)
    } catch {
      complete(.problem(error))
      return nil
    }
  }

  private static var secondsSince1970: Int64 { Int64(time(nil)) }

  // MARK: - For subclasses

  /// What was to be sent cannot be read any more.
  struct BodyGone: Error {}

  /// What is sent; nil: nothing.
  func makeBody() throws(BodyGone) -> (any UploadBody)? { nil }
  /// Milliseconds until the answer must have begun.
  var patience: Int { upstream.settings.timeout }
  /// The beginning of a success. False: it is of no interest.
  func accept(_ head: AnswerHead) -> Bool { true }
  /// A piece of a success's body.
  func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool { true }
  func isTooSlow(received: UInt64, since head: NIODeadline) -> Bool {
    NIODeadline.now() - head > Self.bodyPatience
  }
  func isTooSlow(sent: UInt64, since begin: NIODeadline) -> Bool { false }
  /// The end. Called once.
  func complete(_ outcome: Outcome) {}

  /// Makes the same kind of request for another URL; ``complete(_:)`` is called once more.
  ///
  /// - Parameter url: nil: that of the object's name.
  func proceed(to url: String?) {
    target = url
    redirections = 0
    start()
  }

  // MARK: - TransferConsumer

  private var isSuccess: Bool { (200..<300).contains(head.status) }

  func begin(_ head: AnswerHead) -> Bool {
    self.head = head
    latency = .now() - begin
    return isSuccess ? accept(head) : true
  }

  func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if isSuccess { return takeBody(bytes) }
    other += bytes.prefix(StoreAnswer.bodyLimit - other.count)
    return other.count < StoreAnswer.bodyLimit
  }

  func end(_ failure: TransferFailure?) {
    // Enough has been seen of an answer that is not a success.
    if let failure, !(failure == .givenUp && head.status != 0 && !isSuccess) {
      return complete(failure.problem.map { .problem($0) } ?? .nothing)
    }
    if isSuccess { return complete(.done) }
    let answer = StoreAnswer(head: head, body: other)
    if redirect(answer) { return }
    if !hasLearned, let request, upstream.store.learn(from: answer, to: request) {
      hasLearned = true
      return start()
    }
    complete(upstream.store.problem(answer, method: method).map { .problem($0) } ?? .absent)
  }

  /// Follows a redirection; false: it is none that may be followed.
  private func redirect(_ answer: StoreAnswer) -> Bool {
    guard (300..<400).contains(answer.status), method == .get, redirections < Self.mostRedirections,
      let location = answer.head.fields["location"],
      let request, let target = URLText.redirection(from: request.url, to: location)
    else { return false }
    redirections += 1
    self.target = target
    start()
    return true
  }
}
