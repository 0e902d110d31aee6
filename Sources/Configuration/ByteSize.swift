/// A number of bytes as people write it: `10GB`, `512 MiB`, `4096`.
package struct ByteSize: Sendable, Equatable {
  package let bytes: UInt64

  package init(bytes: UInt64) {
    self.bytes = bytes
  }

  private static let units: [(name: String, factor: UInt64)] = [
    ("b", 1),
    ("k", 1000), ("kb", 1000), ("kib", 1 << 10),
    ("m", 1_000_000), ("mb", 1_000_000), ("mib", 1 << 20),
    ("g", 1_000_000_000), ("gb", 1_000_000_000), ("gib", 1 << 30),
    ("t", 1_000_000_000_000), ("tb", 1_000_000_000_000), ("tib", 1 << 40),
  ]

  /// nil when the text is not a number with an optional decimal part and an optional unit, or is too large.
  package init?(_ text: String) {
    guard let (number, unit) = Quantity.split(text) else { return nil }
    guard unit.isEmpty || Self.units.contains(where: { $0.name == unit }) else { return nil }
    let factor = Self.units.first { $0.name == unit }?.factor ?? 1
    let value = number * Double(factor)
    guard value < Double(Int64.max) else { return nil }
    bytes = UInt64(value)
  }
}

extension ByteSize: CustomStringConvertible {
  /// Three significant digits in decimal units: `184 MB`, `9.30 GB`.
  package var description: String {
    var value = Double(bytes)
    if value < 1000 { return "\(bytes) B" }
    for unit in ["kB", "MB", "GB", "TB"] {
      value /= 1000
      if value < 999.5 || unit == "TB" {
        let decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return "\(Quantity.format(value, decimals: decimals)) \(unit)"
      }
    }
    return "\(bytes) B"
  }
}
