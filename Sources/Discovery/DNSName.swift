/// A domain name. Compared without regard to the case of ASCII letters, as DNS demands; kept as it was written.
struct DNSName: Sendable {
  /// The labels, each behind its length, and an empty one at the end: at most 255 bytes. Lengths are below 64, so that
  /// none is mistaken for a letter.
  let wire: [UInt8]

  static let longestLabel = 63
  static let longest = 255

  /// nil when a label is empty or too long, or the name is.
  init?(labels: [[UInt8]]) {
    guard labels.allSatisfy({ (1...Self.longestLabel).contains($0.count) }) else { return nil }
    self.init(wire: labels.flatMap { [UInt8($0.count)] + $0 } + [0])
  }

  /// For whoever has checked the labels.
  init?(wire: [UInt8]) {
    guard wire.count <= Self.longest else { return nil }
    self.wire = wire
  }

  /// A name with these labels before this one's; nil when it would be too long.
  func prefixed(by label: [UInt8]) -> DNSName? {
    guard (1...Self.longestLabel).contains(label.count) else { return nil }
    return DNSName(wire: [UInt8(label.count)] + label + wire)
  }

  /// The label that this name has before `parent`; nil when it is not exactly one more.
  func label(under parent: DNSName) -> ArraySlice<UInt8>? {
    guard let count = wire.first, count > 0, wire.count == parent.wire.count + 1 + Int(count),
      Self.equal(wire[(1 + Int(count))...], parent.wire[...])
    else { return nil }
    return wire[1...Int(count)]
  }

  private static func equal(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
    left.count == right.count && zip(left, right).allSatisfy { $0 == $1 || folded($0) == folded($1) }
  }

  private static func folded(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}

extension DNSName: Hashable {
  static func == (left: DNSName, right: DNSName) -> Bool {
    equal(left.wire[...], right.wire[...])
  }

  func hash(into hasher: inout Hasher) {
    for byte in wire { hasher.combine(Self.folded(byte)) }
  }
}

extension DNSName: ExpressibleByStringLiteral {
  /// A name of the source text, labels separated by dots.
  init(stringLiteral text: StaticString) {
    let labels = "\(text)".split(separator: ".").map { Array($0.utf8) }
    guard let name = DNSName(labels: labels) else { preconditionFailure("\(text) is no domain name") }
    self = name
  }
}
