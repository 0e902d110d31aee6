import NIOCore
import PeerRecords

/// Reads the answer to the question what a peer holds.
final class SummaryReader: AnswerConsumer {
  enum Result {
    case full(SummaryGeneration, FingerprintTable)
    case changes(SummaryGeneration, [UInt32])
    case refused(PeerSighting.Answer)
    /// It is to be asked again a little later.
    case busy
    case failed
  }

  private let completion: (Result) -> Void
  private var head: SummaryHead?
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
      self.head = SummaryHead(head)
      // A peer that announces more than the protocol allows is not read any further.
      guard self.head != nil else {
        completion(.failed)
        return false
      }
    case PeerStatus.refused.rawValue where head.contentLength == 0:
      // Whatever it says besides, it is not a yes.
      refusal = .refused(ConsentField.read(head) == .denied ? .denied : .pending)
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
      if head?.isFull == true { table.insert(fingerprint) } else { added.append(fingerprint) }
    }
    rest.discardReadBytes()
  }

  func end() {
    if let refusal { return completion(refusal) }
    guard let head else { return completion(.failed) }
    completion(head.isFull ? .full(head.generation, table) : .changes(head.generation, added))
  }

  func fail() {
    completion(.failed)
  }
}
