/// A state of one server's summary: which server start, and how many changes since.
package struct SummaryGeneration: Sendable, Hashable, CustomStringConvertible {
  /// Random, new with each start.
  let epoch: UInt32
  let number: UInt64

  package init(epoch: UInt32, number: UInt64) {
    self.epoch = epoch
    self.number = number
  }

  /// Reads `epoch-number`, both decimal and as ``description`` writes them.
  init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let epoch = UInt32(parts[0]), let number = UInt64(parts[1]) else { return nil }
    self.init(epoch: epoch, number: number)
    guard description == text else { return nil }
  }

  package var description: String { "\(epoch)-\(number)" }
}
