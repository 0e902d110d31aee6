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
