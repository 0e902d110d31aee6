/// A key of `.fabrik.toml`. The list is the reference: the file's grammar, the environment variables, `config show` and
/// the documentation's tests all read it.
package enum SettingKey: String, CaseIterable, Sendable {
  case cacheDirectory = "cache.dir"
  case maxSize = "cache.max_size"
  case linger = "exec.linger"
  case statistics = "exec.stats"
  case statisticsFile = "exec.stats_file"
  case tools = "exec.tools"

  /// The table the key stands in.
  package var table: String { String(rawValue.prefix { $0 != "." }) }

  /// The key within its table.
  package var name: String { String(rawValue.drop { $0 != "." }.dropFirst()) }

  /// The environment variable that overrides the files.
  package var variable: String {
    switch self {
    case .cacheDirectory: "FABRIK_CACHE_DIR"
    case .maxSize: "FABRIK_MAX_SIZE"
    case .linger: "FABRIK_LINGER"
    case .statistics: "FABRIK_STATS"
    case .statisticsFile: "FABRIK_STATS_FILE"
    case .tools: "FABRIK_TOOLS"
    }
  }

  /// What the key takes, for messages.
  package var expectation: String {
    switch self {
    case .cacheDirectory, .statisticsFile: "a path, such as \"/var/cache/fabrik\""
    case .maxSize: "a size, such as \"10GB\" or \"512MiB\""
    case .linger: "a duration, such as \"30s\", \"5m\" or 0"
    case .statistics: "\"none\", \"line\" or \"json\""
    case .tools: "a table of tools, such as { ccache = false }"
    }
  }
}
