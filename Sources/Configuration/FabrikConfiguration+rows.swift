import SystemPackage

extension FabrikConfiguration {
  /// A line of `fabrik config show`.
  package struct Row: Sendable, Equatable {
    package let key: String
    package let value: String
    /// The value as it would be written in the file.
    package var written: String { value.hasPrefix("{") ? value : "\"\(value)\"" }
    /// The file and line, variable or flag; `default` otherwise.
    package let origin: String
  }

  /// Every key with its value in force, in the order of ``SettingKey``.
  package var rows: [Row] {
    SettingKey.allCases.map { key in
      switch key {
      case .cacheDirectory: row(key, cacheDirectory, quoted: cacheDirectory.value.string)
      case .maxSize: row(key, maxSize, quoted: maxSize.value?.description ?? "auto")
      case .linger: row(key, linger, quoted: linger.value.spoken)
      case .statistics: row(key, statistics, quoted: statistics.value.rawValue)
      case .statisticsFile: row(key, statisticsFile, quoted: statisticsFile.value?.string ?? "")
      case .tools: toolsRow
      }
    }
  }

  private var toolsRow: Row {
    guard !tools.isEmpty else { return Row(key: SettingKey.tools.rawValue, value: "{}", origin: "default") }
    let items = tools.sorted { $0.key < $1.key }
    return Row(
      key: SettingKey.tools.rawValue,
      value: "{ \(items.map { "\($0.key) = \($0.value.value)" }.joined(separator: ", ")) }",
      origin: items.compactMap(\.value.place?.description).joined(separator: ", "))
  }

  private func row<Value>(_ key: SettingKey, _ setting: Setting<Value>, quoted value: String) -> Row {
    Row(key: key.rawValue, value: value, origin: setting.place?.description ?? "default")
  }
}
