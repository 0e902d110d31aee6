/// What the tools of one lease asked for and got.
package struct LeaseStatistics: Sendable, Equatable {
  /// Counts of one build tool.
  package struct Tool: Sendable, Equatable {
    package var lookups = 0
    package var hits = 0

    package init(lookups: Int = 0, hits: Int = 0) {
      self.lookups = lookups
      self.hits = hits
    }
  }

  /// What one peer gave.
  package struct Peer: Sendable, Equatable {
    /// As it calls itself.
    package var name: String
    package var hits: Int
    package var bytes: Int64

    package init(name: String, hits: Int = 0, bytes: Int64 = 0) {
      self.name = name
      self.hits = hits
      self.bytes = bytes
    }
  }

  /// What was fetched before a tool has asked for it.
  package struct Prefetched: Sendable, Equatable {
    package var entries = 0
    package var bytes: Int64 = 0
    /// How many of the entries a tool has asked for since.
    package var used = 0

    package init(entries: Int = 0, bytes: Int64 = 0, used: Int = 0) {
      self.entries = entries
      self.bytes = bytes
      self.used = used
    }
  }

  /// Reads that tools asked for. A compile job through ccache makes two: its manifest and its result.
  package var lookups = 0
  package var hits: [CacheLayerName: Int] = [:]
  /// Entries taken into the local store.
  package var stored = 0
  /// Bytes of hits, by the layer they came from.
  package var bytes: [CacheLayerName: Int64] = [:]
  package var storedBytes: Int64 = 0
  /// Entries that could not be taken into the local store.
  package var unstored = 0
  /// What the tools once needed to make what they now got, added up over all jobs, in milliseconds.
  package var savedMilliseconds: Int64 = 0
  /// What tools waited for layers beyond this machine, in milliseconds.
  package var waitedMilliseconds: Int64 = 0
  package var tools: [String: Tool] = [:]
  /// By the peer's identifier.
  package var peers: [String: Peer] = [:]
  package var prefetched = Prefetched()

  /// Objects of upstreams that were not what they should have been.
  package var rejected = 0
  /// What went wrong beyond this machine and has not been said yet, a line for each.
  package var notices: [String] = []

  package init() {}

  package var hitCount: Int { hits.values.reduce(0, +) }

  /// Lookups that no layer could answer.
  package var misses: Int { lookups - hitCount }

  /// Whether any tool asked for or stored anything.
  package var isEmpty: Bool { lookups == 0 && stored == 0 }
}

extension LeaseStatistics {
  /// The fields of a `statistics` message.
  package var fields: [String: String] {
    var fields = [
      "lookups": String(lookups), "stored": String(stored), "stored.bytes": String(storedBytes),
      "saved": String(savedMilliseconds), "waited": String(waitedMilliseconds),
    ]
    if rejected > 0 { fields["rejected"] = String(rejected) }
    if unstored > 0 { fields["unstored"] = String(unstored) }
    for (number, notice) in notices.enumerated() { fields["notice.\(number)"] = notice }
    for (layer, count) in hits { fields["hits.\(layer.rawValue)"] = String(count) }
    for (layer, count) in bytes { fields["bytes.\(layer.rawValue)"] = String(count) }
    for (name, tool) in tools { fields["tool.\(name)"] = "\(tool.lookups):\(tool.hits)" }
    if prefetched != Prefetched() {
      fields["prefetched"] = "\(prefetched.entries):\(prefetched.bytes):\(prefetched.used)"
    }
    for (id, peer) in peers { fields["peer.\(id)"] = "\(peer.hits):\(peer.bytes):\(peer.name)" }
    return fields
  }

  /// What is absent or malformed counts as zero.
  package init(fields: [String: String]) {
    self.init()
    func number<Number: FixedWidthInteger>(_ name: String) -> Number { fields[name].flatMap { Number($0) } ?? 0 }
    lookups = number("lookups")
    stored = number("stored")
    storedBytes = number("stored.bytes")
    savedMilliseconds = number("saved")
    waitedMilliseconds = number("waited")
    rejected = number("rejected")
    unstored = number("unstored")
    while let notice = fields["notice.\(notices.count)"] { notices.append(notice) }
    for layer in CacheLayerName.allCases {
      if fields["hits.\(layer.rawValue)"] != nil { hits[layer] = number("hits.\(layer.rawValue)") }
      if fields["bytes.\(layer.rawValue)"] != nil { bytes[layer] = number("bytes.\(layer.rawValue)") }
    }
    for (name, value) in fields where name.hasPrefix("tool.") {
      let counts = value.split(separator: ":").map { Int($0) ?? 0 }
      if counts.count == 2 { tools[String(name.dropFirst(5))] = Tool(lookups: counts[0], hits: counts[1]) }
    }
    if let counts = fields["prefetched"]?.split(separator: ":").map({ Int64($0) ?? 0 }), counts.count == 3 {
      prefetched = Prefetched(
        entries: Int(clamping: counts[0]), bytes: counts[1], used: Int(clamping: counts[2]))
    }
    for (name, value) in fields where name.hasPrefix("peer.") {
      // The name comes last: it may hold anything.
      let parts = value.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, let hits = Int(parts[0]), let bytes = Int64(parts[1]) else { continue }
      peers[String(name.dropFirst(5))] = Peer(name: String(parts[2]), hits: hits, bytes: bytes)
    }
  }
}
