import NIOCore
import PeerRecords
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("The answer to what a peer holds")
struct SummaryReaderTests {
  private final class Results {
    var list: [SummaryReader.Result] = []
  }

  /// Reads an answer; its body comes in pieces. Checks that there is one result.
  private func read(
    _ fields: [String: String], _ pieces: [ArraySlice<UInt8>] = [], status: PeerStatus = .ok, length: UInt64? = nil,
    isCutOff: Bool = false
  ) throws -> SummaryReader.Result {
    let results = Results()
    let reader = SummaryReader { results.list.append($0) }
    let size = length ?? UInt64(pieces.map(\.count).reduce(0, +))
    if reader.begin(.answer(status, length: size, fields)) {
      for piece in pieces { reader.take(ByteBuffer(bytes: piece)) }
      if isCutOff { reader.fail() } else { reader.end() }
    }
    try #require(results.list.count == 1)
    return results.list[0]
  }

  private static let full = ["fabrik-generation": "7-9", "fabrik-summary": "full"]
  private static let changes = ["fabrik-generation": "7-9", "fabrik-summary": "changes"]

  private func bytes(_ fingerprints: [UInt32]) -> [UInt8] {
    fingerprints.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
  }

  @Test("is everything, or what has changed, however it is cut")
  func sound() throws {
    var generator = SeededGenerator(seed: 1)
    let fingerprints = (0..<2000).map { _ in UInt32.random(in: 0...UInt32.max, using: &generator) } + [0]
    let body = bytes(fingerprints)
    for cut in [[body[...]], body.indices.map { body[$0...$0] }, generator.pieces(of: body, upTo: 100)] {
      guard case .full(let generation, let table) = try read(Self.full, cut) else {
        Issue.record("not a full one")
        continue
      }
      #expect(generation.description == "7-9" && table.count == Set(fingerprints).count)
      #expect(fingerprints.allSatisfy(table.contains))
      guard case .changes(let next, let added) = try read(Self.changes, cut) else {
        Issue.record("not changes")
        continue
      }
      #expect(next == generation && added == fingerprints)
    }
  }

  @Test("may be nothing")
  func empty() throws {
    guard case .full(_, let table) = try read(Self.full), case .changes(_, let added) = try read(Self.changes) else {
      Issue.record("not understood")
      return
    }
    #expect(table.count == 0 && added.isEmpty)
  }

  @Test("may be a refusal")
  func refusal() throws {
    guard case .refused(.pending) = try read(["fabrik-consent": "pending"], status: .refused),
      case .refused(.pending) = try read([:], status: .refused),
      case .refused(.denied) = try read(["fabrik-consent": "denied"], status: .refused)
    else {
      Issue.record("not understood")
      return
    }
  }

  @Test("may be to ask again")
  func again() throws {
    for status in [PeerStatus.busy, .unauthenticated] {
      guard case .busy = try read(["fabrik-time": "5"], status: status) else {
        Issue.record("not understood")
        return
      }
    }
  }

  @Test("is nothing when it is something else")
  func failures() throws {
    func isFailure(_ result: SummaryReader.Result) -> Bool { if case .failed = result { true } else { false } }
    #expect(isFailure(try read(["fabrik-summary": "full"])), "no generation")
    #expect(isFailure(try read(["fabrik-generation": "7", "fabrik-summary": "full"])))
    #expect(isFailure(try read(Self.full, length: 6)), "half a fingerprint")
    #expect(isFailure(try read(Self.full, length: 4 * UInt64(OwnSummary.limit) + 4)), "too much")
    #expect(isFailure(try read(Self.changes, length: .max)))
    #expect(isFailure(try read(Self.full, [[1, 2, 3, 4]], isCutOff: true)))
    #expect(isFailure(try read([:], status: .refused, length: 1 << 40)), "a refusal with a body")
    for status in [PeerStatus.missing, .busy, .malformed, .unauthenticated] {
      #expect(isFailure(try read(Self.full, [[1, 2, 3, 4]], status: status)))
    }
  }
}
