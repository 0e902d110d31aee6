/// The head of an answer, without what nobody asks for.
struct AnswerHead: Sendable, Equatable {
  /// 0: none has come yet.
  var status = 0
  /// With lower-case names; of a name that occurs twice, the last.
  var fields: [String: String] = [:]

  /// Bytes that heads may take in all, with those of interim answers.
  static let sizeLimit = 1 << 16
  /// Bytes seen so far.
  var size = 0

  /// Takes one line, with its end. False: there have been too many.
  mutating func take(_ line: UnsafeRawBufferPointer) -> Bool {
    size += line.count
    guard size <= Self.sizeLimit else { return false }
    let text = String(decoding: line, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      // An interim answer came before.
      fields = [:]
      status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      return true
    }
    guard let colon = text.firstIndex(of: ":") else { return true }
    let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
    fields[text[..<colon].lowercased()] = String(value.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" })
    return true
  }

  /// Bytes of the body, if that was said.
  var contentLength: UInt64? { fields["content-length"].flatMap { UInt64($0) } }
}
