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

/// Numbers with a unit behind them.
package enum Quantity {
  /// `1.5 GiB` → (1.5, "gib"); nil when it does not begin with a plain decimal number.
  static func split(_ text: String) -> (number: Double, unit: String)? {
    let text = text.lowercased()
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard number.first?.isNumber == true, let value = Double(number) else { return nil }
    let unit = text.dropFirst(number.count).drop { $0 == " " }
    return (value, String(unit))
  }

  /// A number with a fixed count of decimals, rounded half up. (`String(format:)` would need Foundation.)
  package static func format(_ value: Double, decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let digits = String(UInt64((abs(value) * scale).rounded()))
    let sign = value < 0 ? "-" : ""
    guard decimals > 0 else { return sign + digits }
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    return "\(sign)\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
  }
}
