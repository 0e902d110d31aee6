/// Names as Avahi writes them: `\.`, `\\` and `\DDD` stand for a byte of a label.
extension DNSName {
  /// With the two characters escaped that mean something in a name.
  var escaped: String {
    var labels: [String] = []
    var rest = wire[...]
    while let count = rest.popFirst(), count > 0 {
      let label = String(decoding: rest.prefix(Int(count)), as: UTF8.self)
      labels.append(String(label.flatMap { $0 == "." || $0 == "\\" ? ["\\", $0] : [$0] }))
      rest = rest.dropFirst(Int(count))
    }
    return labels.joined(separator: ".")
  }

  /// nil when it is not a name.
  init?(escaped text: String) {
    var labels: [[UInt8]] = [[]]
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "."): labels.append([])
      case UInt8(ascii: "\\"):
        guard let next = rest.popFirst() else { return nil }
        guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= next else {
          labels[labels.count - 1].append(next)
          continue
        }
        let digits = [next] + rest.prefix(2)
        guard digits.count == 3, let value = UInt8(String(decoding: digits, as: UTF8.self)) else { return nil }
        rest = rest.dropFirst(2)
        labels[labels.count - 1].append(value)
      default: labels[labels.count - 1].append(byte)
      }
    }
    if labels.last == [] { labels.removeLast() }
    guard !labels.isEmpty else { return nil }
    self.init(labels: labels)
  }
}
