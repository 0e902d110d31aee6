/// Finds the mistakes to which toml++ 3.4, the parser inside TOMLKit, answers with `abort` instead of an error: a table's
/// header that does not begin with a name (`[# old]`), a `}` where an array's item should be (`[1, }`), and some dates.
/// Also a NUL byte, at which TOMLKit takes the text to end.
///
/// It may take a text that is wrong elsewhere for wrong here; of valid texts it refuses only those with dates and with
/// names of more than a hundred parts, which no key has.
struct ParserGuard {
  /// A place, from 1, and what is wrong with it.
  struct Flaw: Equatable {
    let line: Int
    let column: Int
    let message: String
  }

  private let bytes: [UInt8]
  private var index = 0
  private var line = 1
  private var lineStart = 0
  private var open: [UInt8] = []
  /// In this line.
  private var dots = 0
  /// Each part of a dotted name takes a stack frame of the parser.
  private static let mostDots = 100
  /// The last byte that is neither blank nor part of a comment; a newline at the beginning of a line.
  private var previous = UInt8(ascii: "\n")

  static func flaw(in text: String) -> Flaw? {
    var scanner = ParserGuard(bytes: Array(text.utf8))
    return scanner.findNUL() ?? scanner.scan()
  }

  private init(bytes: [UInt8]) {
    self.bytes = bytes
    // A byte order mark.
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
  }

  private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func scan() -> Flaw? {
    while let byte = current {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
        index += 1
        continue
      case UInt8(ascii: "#"):
        while let byte = current, byte != UInt8(ascii: "\n") { index += 1 }
        continue
      case UInt8(ascii: "\n"):
        newLine()
        // Within an array, lines mean nothing.
        if open.isEmpty { previous = byte }
        continue
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        skipString(byte)
        previous = byte
        continue
      case UInt8(ascii: "[") where open.isEmpty && previous == UInt8(ascii: "\n"):
        if let flaw = header() { return flaw }
        continue
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        open.append(byte)
      case UInt8(ascii: "}") where open.last == UInt8(ascii: "["):
        if previous == UInt8(ascii: "[") || previous == UInt8(ascii: ",") { return flaw("a value is missing here") }
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        _ = open.popLast()
      case UInt8(ascii: "-") where isAfterYear: return flaw("no key takes a date")
      case UInt8(ascii: "."):
        dots += 1
        if dots > Self.mostDots { return flaw("a name with too many parts") }
      default: break
      }
      previous = byte
      index += 1
    }
    return nil
  }

  /// Whether four digits precede, as in a date.
  private var isAfterYear: Bool {
    index >= 4 && bytes[(index - 4)..<index].allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private func findNUL() -> Flaw? {
    guard let place = bytes.firstIndex(of: 0) else { return nil }
    let before = bytes[..<place]
    let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    return Flaw(line: line, column: place - start + 1, message: "a NUL byte")
  }

  private mutating func header() -> Flaw? {
    index += 1
    if current == UInt8(ascii: "[") { index += 1 }
    while current == UInt8(ascii: " ") || current == UInt8(ascii: "\t") { index += 1 }
    previous = UInt8(ascii: "[")
    guard let byte = current, !Self.beginsName(byte), byte != UInt8(ascii: "]") else { return nil }
    return flaw("the name of a table is missing here")
  }

  private static func beginsName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "\""),
      UInt8(ascii: "'"):
      true
    default: false
    }
  }

  private mutating func skipString(_ quote: UInt8) {
    let isLong = bytes[index...].starts(with: [quote, quote, quote])
    index += isLong ? 3 : 1
    while let byte = current {
      if byte == UInt8(ascii: "\n") {
        if !isLong { return }
        newLine()
      } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        index += bytes.dropFirst(index + 1).first == UInt8(ascii: "\n") ? 1 : 2
      } else if byte == quote, !isLong || bytes[index...].starts(with: [quote, quote, quote]) {
        index += isLong ? 3 : 1
        return
      } else {
        index += 1
      }
    }
  }

  private mutating func newLine() {
    dots = 0
    index += 1
    line += 1
    lineStart = index
  }

  private func flaw(_ message: String) -> Flaw {
    Flaw(line: line, column: index - lineStart + 1, message: message)
  }
}
