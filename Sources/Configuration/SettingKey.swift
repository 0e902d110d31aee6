/// A key of `.fabrik.toml`. The list is the reference: the file's grammar, the environment variables, `config show` and
/// the documentation's tests all read it.
package enum SettingKey: String, CaseIterable, Sendable {
  case cacheDirectory = "cache.dir"
  case maxSize = "cache.max_size"
  case linger = "exec.linger"
  case statistics = "exec.stats"
  case statisticsFile = "exec.stats_file"
  case tools = "exec.tools"
  case prefetch = "exec.prefetch"
  case absoluteCompilers = "exec.absolute_compilers"
  case mapsPaths = "exec.map_paths"
  case peersEnabled = "p2p.enabled"
  case peersSecret = "p2p.secret"
  case peersConsent = "p2p.consent"
  case peersAddresses = "p2p.peers"
  case peersPort = "p2p.port"
  case peersInterfaces = "p2p.interfaces"
  case peersName = "p2p.name"

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
    case .prefetch: "FABRIK_PREFETCH"
    case .absoluteCompilers: "FABRIK_ABSOLUTE_COMPILERS"
    case .mapsPaths: "FABRIK_MAP_PATHS"
    case .peersEnabled: "FABRIK_P2P_ENABLED"
    case .peersSecret: "FABRIK_P2P_SECRET"
    case .peersConsent: "FABRIK_P2P_CONSENT"
    case .peersAddresses: "FABRIK_P2P_PEERS"
    case .peersPort: "FABRIK_P2P_PORT"
    case .peersInterfaces: "FABRIK_P2P_INTERFACES"
    case .peersName: "FABRIK_P2P_NAME"
    }
  }

  /// What a value may be in the file. Text is always fine but for lists and tables: it may be the content of a variable.
  enum Form {
    case text, textOrNumber, textOrSwitch, list, table
  }

  var form: Form {
    switch self {
    case .maxSize, .linger, .peersPort: .textOrNumber
    case .prefetch, .absoluteCompilers, .mapsPaths, .peersEnabled: .textOrSwitch
    case .peersAddresses, .peersInterfaces: .list
    case .tools: .table
    default: .text
    }
  }

  /// What the key takes, for messages.
  package var expectation: String {
    switch self {
    case .cacheDirectory, .statisticsFile: "a path, such as \"/var/cache/fabrik\""
    case .maxSize: "a size, such as \"10GB\" or \"512MiB\", or \"auto\""
    case .linger: "a duration, such as \"30s\", \"5m\" or 0"
    case .statistics: "\"none\", \"line\" or \"json\""
    case .tools: "a table of tools, such as { ccache = false }"
    case .prefetch, .absoluteCompilers, .mapsPaths, .peersEnabled: "true or false"
    case .peersSecret: "the team's secret, such as \"${FABRIK_TEAM_SECRET}\""
    case .peersConsent: "\"notify-once\", \"notify-always\" or \"always-allow\""
    case .peersAddresses: "a list of addresses, such as [\"10.0.0.2:4711\"]"
    case .peersPort: "a port, or 0 for any"
    case .peersInterfaces: "a list of network interfaces, such as [\"eth0\"]"
    case .peersName: "a name of at most 64 characters"
    }
  }
}
