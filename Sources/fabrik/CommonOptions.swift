import ArgumentParser
import SystemSupport

/// `--config`, for every command that reads the configuration.
struct ConfigurationOption: ParsableArguments {
  @Option(help: ArgumentHelp("Use this file instead of .fabrik.toml.", valueName: "file"), completion: .file())
  var config: String?
}

/// `--json`, for every command that prints values.
struct FormatOption: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  /// Prints the object, or the lines for people.
  func print(_ object: [(String, JSONText)], lines: [String]) {
    let text = json ? [JSONText.object(object).text] : lines
    for line in text { StandardStream.output.write(line: line) }
  }
}
