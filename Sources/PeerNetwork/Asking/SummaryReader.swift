import NIOCore

/// Reads the answer to the question what a peer holds.
final class SummaryReader: AnswerConsumer {
  enum Result {
    case full(SummaryGeneration, FingerprintTable)
    case changes(SummaryGeneration, [UInt32])
    case refused(isDenied: Bool)
    /// It is to be asked again a little later.
    case busy
    case failed
  }

  private let completion: (Result) -> Void
  private var generation: SummaryGeneration?
  private var isFull = false
  private var refusal: Result?
  private var rest = ByteBuffer()
  private var table = FingerprintTable()
  private var added: [UInt32] = []

  /// - Parameter completion: called once.
  init(completion: @escaping (Result) -> Void) {
    self.completion = completion
  }

  func begin(_ head: MessageHead) -> Bool {
    switch head.status {
    case PeerStatus.ok.rawValue:
      let count = head.contentLength / 4
      generation = head["fabrik-generation"].flatMap(SummaryGeneration.init)
      isFull = head["fabrik-summary"] == "full"
      // A peer that announces more than the protocol allows is not read any further.
      guard generation != nil, head.contentLength % 4 == 0, count <= UInt64(OwnSummary.limit) else {
        completion(.failed)
        return false
      }
    case PeerStatus.refused.rawValue where head.contentLength == 0:
      refusal = .refused(isDenied: head["fabrik-consent"] == "denied")
    case PeerStatus.busy.rawValue where head.contentLength == 0: refusal = .busy
    // One of the clocks has been set: to be asked again, by the time that came with this answer.
    case PeerStatus.unauthenticated.rawValue where head.contentLength == 0: refusal = .busy
    default:
      // Whatever else it sends is not a summary, and is not kept.
      completion(.failed)
      return false
    }
    return true
  }

  func take(_ piece: ByteBuffer) {
    var piece = piece
    rest.writeBuffer(&piece)
    while let fingerprint = rest.readInteger(endianness: .little, as: UInt32.self) {
      if isFull { table.insert(fingerprint) } else { added.append(fingerprint) }
    }
    rest.discardReadBytes()
  }

  func end() {
    if let refusal { return completion(refusal) }
    guard let generation else { return completion(.failed) }
    completion(isFull ? .full(generation, table) : .changes(generation, added))
  }

  func fail() {
    completion(.failed)
  }
}
