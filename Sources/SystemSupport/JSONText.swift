/// Writes JSON; the launcher has no Foundation.
package indirect enum JSONText {
  case number(String)
  case string(String)
  case bool(Bool)
  case null
  case array([JSONText])
  /// In the order given.
  case object([(String, JSONText)])

  package static func integer(_ value: some BinaryInteger) -> JSONText { .number("\(value)") }

  package var text: String {
    switch self {
    case .number(let text): text
    case .string(let text): Self.quote(text)
    case .bool(let value): value ? "true" : "false"
    case .null: "null"
    case .array(let items): "[\(items.map(\.text).joined(separator: ","))]"
    case .object(let members):
      "{\(members.map { "\(Self.quote($0.0)):\($0.1.text)" }.joined(separator: ","))}"
    }
  }

  private static func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
