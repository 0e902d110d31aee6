/// What is said of a summary, or of its changes, before its fingerprints, each of which takes four bytes.
struct SummaryHead: Sendable, Equatable {
  let generation: SummaryGeneration
  /// Everything, in place of what was known; otherwise what has been added.
  let isFull: Bool
  /// Fingerprints that follow.
  let count: Int

  private static let generationField = "fabrik-generation"
  private static let kindField = "fabrik-summary"
  static let fingerprintSize = 4

  init(generation: SummaryGeneration, isFull: Bool, count: Int) {
    self.generation = generation
    self.isFull = isFull
    self.count = count
  }

  /// Reads an answer of ``PeerStatus/ok``; nil when it is malformed, or announces more than the protocol allows.
  init?(_ head: MessageHead) {
    let (count, rest) = head.contentLength.quotientAndRemainder(dividingBy: UInt64(Self.fingerprintSize))
    guard let generation = head[Self.generationField].flatMap(SummaryGeneration.init), rest == 0,
      count <= UInt64(OwnSummary.limit)
    else { return nil }
    self.init(generation: generation, isFull: head[Self.kindField] == "full", count: Int(count))
  }

  var message: MessageHead {
    .answer(
      .ok, length: UInt64(count * Self.fingerprintSize),
      [Self.generationField: "\(generation)", Self.kindField: isFull ? "full" : "changes"])
  }
}
