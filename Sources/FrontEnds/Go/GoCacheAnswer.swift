/// The helper's answers in Go's cache protocol: lines of JSON, in any order, each with the number of its request.
///
/// Source: `Response` in `cmd/go/internal/cacheprog` of Go 1.27.
package enum GoCacheAnswer {
  /// The first line: what the helper can do.
  package static let greeting = Array("{\"ID\":0,\"KnownCommands\":[\"get\",\"put\",\"close\"]}\n".utf8)

  package static func miss(id: Int64) -> [UInt8] { line(id, ",\"Miss\":true") }

  /// - Parameters:
  ///   - created: milliseconds since 1970.
  ///   - path: of a file with the body.
  package static func hit(id: Int64, output: [UInt8], size: UInt64, created: UInt64, path: [UInt8]) -> [UInt8] {
    var text = Array(",\"OutputID\":\"".utf8) + Base64.encode(output)
    text += Array("\",\"Size\":\(size),\"Time\":\"\(time(created))\",\"DiskPath\":".utf8)
    return line(id, text + quoted(path))
  }

  /// - Parameter path: of a file with the body that was put.
  package static func stored(id: Int64, path: [UInt8]) -> [UInt8] {
    line(id, Array(",\"DiskPath\":".utf8) + quoted(path))
  }

  package static func failed(id: Int64, reason: String) -> [UInt8] {
    line(id, Array(",\"Err\":".utf8) + quoted(Array(reason.utf8)))
  }

  /// The answer to `close`.
  package static func closed(id: Int64) -> [UInt8] { line(id, "") }

  private static func line(_ id: Int64, _ rest: String) -> [UInt8] { line(id, Array(rest.utf8)) }

  private static func line(_ id: Int64, _ rest: [UInt8]) -> [UInt8] {
    Array("{\"ID\":\(id)".utf8) + rest + Array("}\n".utf8)
  }

  private static func quoted(_ bytes: [UInt8]) -> [UInt8] {
    var text = [UInt8(ascii: "\"")]
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
      case 0..<32:
        let digits = String(byte, radix: 16)
        text += Array("\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
      default: text.append(byte)
      }
    }
    return text + [UInt8(ascii: "\"")]
  }

  /// A time as RFC 3339 has it, in UTC.
  ///
  /// - Parameter milliseconds: since 1970; beyond the year 9999, which the format cannot express, its last moment.
  static func time(_ milliseconds: UInt64) -> String {
    let milliseconds = min(milliseconds, 253_402_300_799_999)
    let (days, rest) = (Int(milliseconds / 86_400_000), Int(milliseconds % 86_400_000))
    // Years that begin in March have their leap day at the end; 1 March 2000 began a cycle of 400 years.
    let shifted = days - 11_017 + 5 * 146_097
    let (cycle, dayOfCycle) = (shifted / 146_097, shifted % 146_097)
    let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
    let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let year = 400 * cycle + yearOfCycle + (month >= 10 ? 1 : 0)
    let numbers = [
      digits(year, 4), "-", digits(month < 10 ? month + 3 : month - 9, 2), "-", digits(day, 2), "T",
      digits(rest / 3_600_000, 2), ":", digits(rest / 60_000 % 60, 2), ":", digits(rest / 1000 % 60, 2), ".",
      digits(rest % 1000, 3), "Z",
    ]
    return numbers.joined()
  }

  private static func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
  }
}
