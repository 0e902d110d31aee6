import ControlProtocol
import SystemPackage

extension FabrikConfiguration {
  /// A line of `fabrik config show`.
  package struct Row: Sendable, Equatable {
    package let key: String
    let form: SettingKey.Form
    package let value: String
    /// The value as it would be written in the file.
    package var written: String {
      switch form {
      case .list, .table, .textOrSwitch: value
      case .textOrNumber where UInt64(value) != nil: value
      case .text, .textOrNumber: "\"\(value)\""
      }
    }
    /// The file and line, variable or flag; `default` otherwise.
    package let origin: String
  }

  /// Every key with its value in force, in the order of ``SettingKey``, and what was set of each upstream.
  package var rows: [Row] {
    SettingKey.allCases.map(row) + upstreamRows
  }

  private func row(_ key: SettingKey) -> Row {
    switch key {
    case .cacheDirectory: row(key, cacheDirectory, quoted: cacheDirectory.value.string)
    case .maxSize: row(key, maxSize, quoted: maxSize.value?.description ?? "auto")
    case .linger: row(key, linger, quoted: linger.value.spoken)
    case .statistics: row(key, statistics, quoted: statistics.value.rawValue)
    case .statisticsFile: row(key, statisticsFile, quoted: statisticsFile.value?.string ?? "")
    case .tools: toolsRow
    case .prefetch: row(key, prefetch, quoted: "\(prefetch.value)")
    case .absoluteCompilers: row(key, absoluteCompilers, quoted: "\(absoluteCompilers.value)")
    case .mapsPaths: row(key, mapsPaths, quoted: "\(mapsPaths.value)")
    case .peersEnabled: row(key, peers.isEnabled, quoted: "\(peers.isEnabled.value)")
    case .peersSecret: row(key, peers.secret, quoted: peers.secret.value?.description ?? "")
    case .peersConsent: row(key, peers.consent, quoted: peers.consent.value.rawValue)
    case .peersAddresses: row(key, peers.addresses, quoted: Self.list(peers.addresses.value))
    case .peersPort: row(key, peers.port, quoted: "\(peers.port.value)")
    case .peersInterfaces: row(key, peers.interfaces, quoted: Self.list(peers.interfaces.value))
    case .peersName: row(key, peers.name, quoted: peers.name.value)
    }
  }

  private var upstreamRows: [Row] {
    let origin = upstreams.place?.description ?? "default"
    return upstreams.value.enumerated().flatMap { number, settings in
      settings.shown.map { key, value in
        let isSwitch = key.isSwitch
        return Row(
          key: "\(UpstreamKey.table).\(number + 1).\(key.rawValue)", form: isSwitch ? .textOrSwitch : .text,
          value: value,
          origin: origin)
      }
    }
  }

  private var toolsRow: Row {
    guard !tools.isEmpty else {
      return Row(key: SettingKey.tools.rawValue, form: .table, value: "{}", origin: "default")
    }
    let items = tools.sorted { $0.key < $1.key }
    return Row(
      key: SettingKey.tools.rawValue, form: .table,
      value: "{ \(items.map { "\($0.key) = \($0.value.value)" }.joined(separator: ", ")) }",
      origin: items.compactMap(\.value.place?.description).joined(separator: ", "))
  }

  private func row<Value>(_ key: SettingKey, _ setting: Setting<Value>, quoted value: String) -> Row {
    Row(key: key.rawValue, form: key.form, value: value, origin: setting.place?.description ?? "default")
  }

  private static func list(_ items: [String]) -> String {
    "[\(items.map { "\"\($0)\"" }.joined(separator: ", "))]"
  }
}

extension UpstreamSettings {
  /// What is set, and what is not the default, as text.
  fileprivate var shown: [(UpstreamKey, String)] {
    let all: [(UpstreamKey, String?)] = [
      (.url, url), (.readOnly, "\(isReadOnly)"), (.timeout, Duration.milliseconds(timeout).spoken),
      (.authorityFile, authorityFile?.string), (.token, token?.description),
      (.layout, kind == .s3 ? nil : layout.rawValue), (.region, region), (.endpoint, endpoint), (.profile, profile),
    ]
    return all.compactMap { key, value in value.map { (key, $0) } }
  }
}
