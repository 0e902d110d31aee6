/// Finds the line on which a key stands in a TOML text. TOMLKit gives positions for syntax errors only; a wrong type or
/// an unknown key deserves one too. Used for messages alone: a key it cannot find (say, inside an inline table that
/// spans a quoted name) is reported without a position.
struct KeyLocator {
  let text: String

  /// Line and column, from 1, of `key` in `[table]`; of the table's header when the key is nil.
  ///
  /// - Parameter occurrence: of the headers of that name, from 0; nil: any.
  func position(table: String, key: String?, occurrence: Int? = nil) -> (line: Int, column: Int)? {
    var current = ""
    var seen = -1
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" })
      .enumerated()
    {
      let indent = line.prefix { $0 == " " || $0 == "\t" }.count
      let trimmed = line.dropFirst(indent)
      if trimmed.first == "[" {
        current = Self.headerName(trimmed)
        if current == table { seen += 1 }
        if let occurrence, seen != occurrence { continue }
        let wanted = key.map { "\(table).\($0)" } ?? table
        if current == wanted { return (index + 1, indent + 1) }
        continue
      }
      if let occurrence, seen != occurrence { continue }
      guard let (name, rest) = Self.assignment(trimmed) else { continue }
      let full = current.isEmpty ? name : "\(current).\(name)"
      if let key, full == (table.isEmpty ? key : "\(table).\(key)") { return (index + 1, indent + 1) }
      if key == nil, full == table { return (index + 1, indent + 1) }
      if let key, full == table, rest.contains(key) { return (index + 1, indent + 1) }
    }
    return nil
  }

  private static func headerName(_ line: Substring) -> String {
    line.drop { $0 == "[" }.prefix { $0 != "]" }.filter { $0 != " " && $0 != "\"" }
  }

  private static func assignment(_ line: Substring) -> (name: String, rest: Substring)? {
    guard let equals = line.firstIndex(of: "="), line.first != "#" else { return nil }
    return (line[..<equals].filter { $0 != " " && $0 != "\t" && $0 != "\"" }, line[line.index(after: equals)...])
  }
}
