package import CacheStore
package import ControlProtocol
import SystemSupport

/// What the tools of one build asked for, and what became of it: as much as is kept for `fabrik why`.
///
/// The file is text. The first line is a ``ControlMessage`` `build`, one `trail` follows for each trail in their order, and
/// then a line for each lookup: `TRAIL MILLISECONDS +|- KEY`, where `+` says that the build has stored the key.
package struct BuildRecord: Sendable, Equatable {
  /// The way of a lookup through the layers, up to the one that had the entry.
  package struct Trail: Sendable, Equatable {
    package var steps: [LookupStep]
    /// The lookups that went this way; those that are not listed as well.
    package var count: Int

    package init(steps: [LookupStep], count: Int = 0) {
      self.steps = steps
      self.count = count
    }

    package var isMiss: Bool { steps.last?.outcome.kind != .hit }
  }

  package struct Lookup: Sendable, Equatable {
    package var key: CacheKey
    /// Its place among the trails.
    package var trail: Int
    /// Since the build's beginning.
    package var milliseconds: Int64
    /// Whether the build has stored the key, before or after.
    package var isStored: Bool

    package init(key: CacheKey, trail: Int, milliseconds: Int64, isStored: Bool = false) {
      self.key = key
      self.trail = trail
      self.milliseconds = milliseconds
      self.isStored = isStored
    }
  }

  /// The launcher.
  package var process: Int32
  /// Milliseconds since 1970.
  package var begin: UInt64
  /// nil: it has not ended, as far as is known.
  package var end: UInt64?
  /// For people, without secrets, cut.
  package var command: String
  package var directory: String
  /// The tag of the scope it read and wrote.
  package var scope: Scope
  package var trails: [Trail] = []
  package var lookups: [Lookup] = []

  package init(
    process: Int32, begin: UInt64, end: UInt64? = nil, command: String, directory: String, scope: Scope = .private
  ) {
    self.process = process
    self.begin = begin
    self.end = end
    self.command = command
    self.directory = directory
    self.scope = scope
  }

  package var misses: Int { trails.reduce(0) { $0 + ($1.isMiss ? $1.count : 0) } }
  package var lookupCount: Int { trails.reduce(0) { $0 + $1.count } }
}

extension BuildRecord {
  private static let head = "build"
  private static let trail = "trail"

  package var encoded: [UInt8] {
    var fields = [
      "pid": String(process), "begin": String(begin), "command": command, "directory": directory,
      "scope": Hex.encode(scope.tag),
    ]
    fields["end"] = end.map { String($0) }
    var text = ControlMessage(Self.head, fields).encoded
    for trail in trails {
      var fields = ["count": String(trail.count)]
      for (number, step) in trail.steps.enumerated() { fields[String(number)] = step.text }
      text += ControlMessage(Self.trail, fields).encoded
    }
    for lookup in lookups {
      text += "\(lookup.trail) \(lookup.milliseconds) \(lookup.isStored ? "+" : "-") \(lookup.key.namespace)/".utf8
      text += Hex.encodeBytes(lookup.key.bytes)
      text.append(UInt8(ascii: "\n"))
    }
    return text
  }

  /// nil when the first line is not a build's. What is malformed behind it is left out.
  package init?(encoded: [UInt8]) {
    var lines = encoded.split(separator: UInt8(ascii: "\n"))[...]
    guard let first = lines.popFirst().flatMap({ ControlMessage(line: $0) }), first.verb == Self.head,
      let process = first["pid"].flatMap({ Int32($0) }), let begin = first["begin"].flatMap({ UInt64($0) })
    else { return nil }
    let tag = first["scope"].flatMap { Hex.decode(Array($0.utf8)) }
    self.init(
      process: process, begin: begin, end: first["end"].flatMap { UInt64($0) }, command: first["command"] ?? "",
      directory: first["directory"] ?? "",
      scope: tag.flatMap { $0.count == Scope.tagLength ? Scope(tag: $0) : nil } ?? .private)
    while let line = lines.first, line.starts(with: Self.trail.utf8) {
      lines.removeFirst()
      guard let message = ControlMessage(line: line) else { return }
      var steps: [LookupStep] = []
      while let step = message[String(steps.count)].flatMap(LookupStep.init(text:)) { steps.append(step) }
      trails.append(Trail(steps: steps, count: message["count"].flatMap { Int($0) } ?? 0))
    }
    lookups = lines.compactMap { Lookup(line: $0, trails: trails.count) }
  }
}

extension BuildRecord.Lookup {
  fileprivate init?(line: ArraySlice<UInt8>, trails: Int) {
    let parts = line.split(separator: UInt8(ascii: " "))
    guard parts.count == 4, let trail = Int(ascii: parts[0]), trail < trails, let milliseconds = Int(ascii: parts[1]),
      let key = CacheKey(ascii: parts[3])
    else { return nil }
    self.init(key: key, trail: trail, milliseconds: Int64(milliseconds), isStored: parts[2].first == UInt8(ascii: "+"))
  }
}

extension Int {
  fileprivate init?(ascii digits: ArraySlice<UInt8>) {
    guard (1...15).contains(digits.count), digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else {
      return nil
    }
    self = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
  }
}

extension CacheKey {
  /// As ``description`` writes it.
  fileprivate init?(ascii text: ArraySlice<UInt8>) {
    guard let slash = text.firstIndex(of: UInt8(ascii: "/")), let bytes = Hex.decode(Array(text[(slash + 1)...])) else {
      return nil
    }
    self.init(namespace: String(decoding: text[..<slash], as: UTF8.self), bytes: bytes)
  }
}
