import SystemSupport

/// Expands `${VAR}` and `${VAR:-default}` in a configuration value, after the file has been parsed, so that a variable's
/// content can never change the file's structure. `$$` stands for one dollar sign.
enum VariableExpansion {
  /// What cannot be expanded, as a sentence.
  struct Failure: Error, Equatable {
    let message: String
  }

  static func expand(_ text: String, environment: Environment) throws(Failure) -> String {
    var result = ""
    var rest = text[...]
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      rest = rest[rest.index(after: dollar)...]
      if rest.first == "$" {
        result += "$"
        rest = rest.dropFirst()
      } else if rest.first == "{" {
        guard let close = rest.firstIndex(of: "}") else {
          throw Failure(message: "'${' without '}'; write '$$' for a dollar sign")
        }
        result += try value(of: rest[rest.index(after: rest.startIndex)..<close], environment: environment)
        rest = rest[rest.index(after: close)...]
      } else {
        result += "$"
      }
    }
    return result + rest
  }

  private static func value(of reference: Substring, environment: Environment) throws(Failure) -> String {
    let name: Substring
    let fallback: Substring?
    if let separator = reference.firstRange(of: ":-") {
      name = reference[..<separator.lowerBound]
      fallback = reference[separator.upperBound...]
    } else {
      name = reference
      fallback = nil
    }
    if let value = environment.nonEmpty(String(name)) { return value }
    if let fallback { return String(fallback) }
    throw Failure(
      message: "environment variable \(name) is not set; set it, or give a default as in ${\(name):-value}")
  }
}
