import SystemSupport

extension Duration {
  private static let units: [(name: String, seconds: Double)] = [
    ("ms", 0.001), ("s", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86400),
  ]

  /// `30s`, `1.5m`, `500ms`, `2h`, `0`; a bare number counts seconds. nil for anything else, and over ten years.
  package init?(text: String) {
    guard let (number, unit) = Quantity.split(text) else { return nil }
    guard unit.isEmpty || Self.units.contains(where: { $0.name == unit }) else { return nil }
    let seconds = number * (Self.units.first { $0.name == unit }?.seconds ?? 1)
    guard seconds < 315_360_000 else { return nil }
    self = .milliseconds(Int64((seconds * 1000).rounded()))
  }

  /// As people say it: `850 ms`, `4.2s`, `30s`, `3m 12s`, `2h 05m`.
  package var spoken: String {
    let seconds = inSeconds
    if seconds < 0.9995 { return "\(Int((seconds * 1000).rounded())) ms" }
    if seconds < 59.95 {
      return "\(Quantity.format(seconds, decimals: seconds == seconds.rounded() ? 0 : 1))s"
    }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60)m \(Self.twoDigits(whole % 60))s" }
    return "\(whole / 3600)h \(Self.twoDigits(whole / 60 % 60))m"
  }

  private static func twoDigits(_ number: Int) -> String {
    number < 10 ? "0\(number)" : "\(number)"
  }
}
