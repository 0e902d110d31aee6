import Configuration
package import ControlProtocol
import SystemSupport

/// What is said when the command has ended.
package struct BuildReport: Sendable {
  package let statistics: LeaseStatistics
  /// As a shell sees it.
  package let exitStatus: Int32
  package let elapsed: Duration

  package init(statistics: LeaseStatistics, exitStatus: Int32, elapsed: Duration) {
    self.statistics = statistics
    self.exitStatus = exitStatus
    self.elapsed = elapsed
  }

  /// One line for people; nil when no tool asked for anything.
  package var line: String? {
    guard !statistics.isEmpty else { return nil }
    var parts = [hits, Self.count(statistics.misses, "miss", "misses")]
    let fetched = statistics.bytes.values.reduce(0, +)
    if fetched > 0 { parts.append(ByteSize(bytes: UInt64(fetched)).description) }
    if statistics.stored > 0 {
      parts.append("\(ByteSize(bytes: UInt64(statistics.storedBytes))) stored")
    }
    if statistics.savedMilliseconds >= Self.leastSaving {
      parts.append("about \(Duration.milliseconds(statistics.savedMilliseconds).spoken) saved")
    }
    return "fabrik: " + parts.joined(separator: " · ")
  }

  /// Milliseconds; less is not worth a word.
  private static let leastSaving: Int64 = 50

  private var hits: String {
    let layers = CacheLayerName.allCases.compactMap { layer -> String? in
      guard let count = statistics.hits[layer], count > 0 else { return nil }
      return "\(count) \(layer.rawValue)"
    }
    let total = Self.count(statistics.hitCount, "hit", "hits")
    return layers.isEmpty ? total : "\(total) (\(layers.joined(separator: ", ")))"
  }

  private static func count(_ number: Int, _ one: String, _ many: String) -> String {
    "\(number) \(number == 1 ? one : many)"
  }

  /// The object of `--stats json`, schema 1: names may be added, never renamed.
  package var json: String {
    func perLayer<Number: BinaryInteger>(_ values: [CacheLayerName: Number]) -> [(String, JSONText)] {
      CacheLayerName.allCases.map { ($0.rawValue, .integer(values[$0] ?? 0)) }
    }
    func seconds(_ milliseconds: Int64) -> JSONText {
      .number(Quantity.format(Double(milliseconds) / 1000, decimals: 3))
    }
    let tools = statistics.tools.sorted { $0.key < $1.key }.map { name, tool -> (String, JSONText) in
      (name, .object([("lookups", .integer(tool.lookups)), ("hits", .integer(tool.hits))]))
    }
    // Who gave most comes first.
    let peers = statistics.peers.sorted { ($1.value.hits, $0.key) < ($0.value.hits, $1.key) }.map { id, peer in
      JSONText.object([
        ("name", .string(peer.name)), ("id", .string(id)), ("hits", .integer(peer.hits)),
        ("bytes", .integer(peer.bytes)),
      ])
    }
    return JSONText.object([
      ("schema", .integer(1)), ("exit", .integer(exitStatus)), ("seconds", seconds(elapsed.inMilliseconds)),
      ("lookups", .integer(statistics.lookups)), ("hits", .object(perLayer(statistics.hits))),
      ("misses", .integer(statistics.misses)), ("stored", .integer(statistics.stored)),
      ("bytes", .object(perLayer(statistics.bytes) + [("stored", .integer(statistics.storedBytes))])),
      ("saved_seconds", seconds(statistics.savedMilliseconds)),
      ("waited_seconds", seconds(statistics.waitedMilliseconds)), ("peers", .array(peers)),
      ("tools", .object(tools)), ("rejected", .integer(statistics.rejected)),
      ("unstored", .integer(statistics.unstored)),
      (
        "prefetched",
        .object([
          ("entries", .integer(statistics.prefetched.entries)), ("bytes", .integer(statistics.prefetched.bytes)),
          ("used", .integer(statistics.prefetched.used)),
        ])
      ),
    ]).text
  }
}
