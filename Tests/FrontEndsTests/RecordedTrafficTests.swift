import CacheStore
import FrontEnds
import SystemPackage
import TestSupport
import Testing

@Suite("Recorded traffic of ccache 4.14.2")
struct RecordedTrafficTests {
  private static let fixtures = FilePath(#filePath).removingLastComponent().appending("Fixtures")

  private func requests(of run: String, cutBy seed: UInt64? = nil) throws -> [Request] {
    let bytes = try Files.read(Self.fixtures.appending("ccache-4.14.2-\(run).crsh"))
    var driver = CRSHDriver()
    if let seed {
      var generator = SeededGenerator(seed: seed)
      for piece in generator.pieces(of: bytes, upTo: 200) { driver.feed(piece) }
    } else {
      for byte in bytes { driver.feed(CollectionOfOne(byte)) }
    }
    #expect(driver.left.isEmpty && driver.isWithinContract)
    return driver.requests
  }

  /// `get`, `put+` (overwriting), …, without keys and values.
  private func kinds(_ requests: [Request]) -> [String] {
    requests.map {
      switch $0 {
      case .get: "get"
      case .exists: "exists"
      case .remove: "remove"
      case .put(_, let overwrite, _): overwrite ? "put+" : "put"
      case .info: "info"
      case .stop: "stop"
      case .malformed: "malformed"
      }
    }
  }

  @Test(
    "is understood to the last byte",
    arguments: [
      ("miss", ["get", "get", "put+", "put+"]), ("hit", ["get", "get"]),
      ("header-changed", ["get", "get", "put+", "put+"]), ("info", ["info", "get", "get"]),
      ("reshare", ["exists", "put+", "exists", "put+"]), ("stop", ["stop"]),
    ])
  func understood(run: String, expected: [String]) throws {
    let requests = try requests(of: run)
    #expect(kinds(requests) == expected)
    for seed in 0..<10 { #expect(try self.requests(of: run, cutBy: UInt64(seed)) == requests) }
  }

  @Test("has keys of 20 bytes, which the next run asks for again")
  func keys() throws {
    let miss = try requests(of: "miss")
    let hit = try requests(of: "hit")
    guard case .put(let result, _, let object) = miss[2], case .put(let manifest, _, _) = miss[3] else {
      Issue.record("the third and fourth request of a miss are puts")
      return
    }
    #expect(hit == [.get(manifest), .get(result)])
    #expect(CCacheProtocol.key(result)?.bytes == result)
    #expect(result.count == 20 && manifest.count == 20)
    #expect(object.contains(Array("\u{7f}ELF".utf8)))
  }

  @Test("has a manifest that is overwritten under its old key")
  func manifest() throws {
    let (first, second) = (try requests(of: "miss"), try requests(of: "header-changed"))
    guard case .put(let before, _, let old) = first[3], case .put(let after, true, let new) = second[3] else {
      Issue.record("the fourth request is a put")
      return
    }
    #expect(before == after)
    #expect(new.count > old.count)
  }
}
