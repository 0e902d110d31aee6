import ControlProtocol
import Glibc
package import SystemPackage
package import SystemSupport
import TOMLKit

/// A `.fabrik.toml`, checked against the list of keys.
package enum ConfigurationFile {
  /// Its name in a project.
  package static let projectName = ".fabrik.toml"

  /// Reads and checks a file. Throws the first thing that is wrong with it, with its position.
  package static func read(
    _ path: FilePath, environment: Environment, knownTools: [String]
  ) throws(ConfigurationError) -> ConfigurationLayer {
    let text: String
    do {
      text = try SmallFile.contents(path) { try checkOwner(of: path, $0) }
    } catch let error as ConfigurationError {
      throw error
    } catch {
      throw ConfigurationError(.file(path, line: nil, column: nil), "cannot be read: \(error)")
    }
    return try parse(text, path: path, environment: environment, knownTools: knownTools)
  }

  /// A hundred times what a file with all keys takes.
  private static let largestSize = 1 << 16

  /// A file that another user has put somewhere above the working directory, or can change, must not say where this
  /// user's builds take their objects from.
  private static func checkOwner(of path: FilePath, _ status: stat) throws {
    // /dev/null, which somebody names to have no configuration, is everybody's.
    guard status.st_mode & S_IFMT == S_IFREG else { return }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw ConfigurationError(.file(path, line: nil, column: nil), "belongs to another user")
    }
    guard status.st_mode & S_IWOTH == 0 else {
      throw ConfigurationError(
        .file(path, line: nil, column: nil), "can be changed by other users; run: chmod o-w \(path)")
    }
  }

  static func parse(
    _ text: String, path: FilePath, environment: Environment, knownTools: [String]
  ) throws(ConfigurationError) -> ConfigurationLayer {
    if let flaw = ParserGuard.flaw(in: text) {
      throw ConfigurationError(
        .file(path, line: flaw.line, column: flaw.column), "not valid TOML: \(flaw.message)")
    }
    guard text.utf8.count <= largestSize else {
      throw ConfigurationError(.file(path, line: nil, column: nil), "is larger than 64 KiB")
    }
    let document: TOMLTable
    do {
      document = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      let place = ConfigurationError.Place.file(path, line: error.source.begin.line, column: error.source.begin.column)
      throw ConfigurationError(place, "not valid TOML: \(error.description)")
    } catch {
      throw ConfigurationError(.file(path, line: nil, column: nil), "not valid TOML: \(error)")
    }
    var reader = Reader(path: path, text: text, environment: environment, knownTools: knownTools)
    return try reader.read(document)
  }

  private struct Reader {
    let path: FilePath
    let text: String
    let environment: Environment
    let knownTools: [String]
    var layer = ConfigurationLayer()

    mutating func read(_ document: TOMLTable) throws(ConfigurationError) -> ConfigurationLayer {
      let tables = Array(Set(SettingKey.allCases.map(\.table))).sorted()
      for tableName in document.keys {
        if tableName == UpstreamKey.table {
          try takeUpstreams(document[tableName])
          continue
        }
        guard tables.contains(tableName) else {
          let known = (tables.map { "[\($0)]" } + ["[[\(UpstreamKey.table)]]"]).joined(separator: ", ")
          throw ConfigurationError(
            place(tableName, nil), "unknown key or table '\(tableName)'; Fabrik knows the tables \(known)")
        }
        guard let table = document[tableName]?.table else {
          throw ConfigurationError(
            place(tableName, nil), "'\(tableName)' is a table; write [\(tableName)] and its keys below")
        }
        for name in table.keys {
          guard let key = SettingKey(rawValue: "\(tableName).\(name)") else {
            let known = SettingKey.allCases.filter { $0.table == tableName }.map(\.name).joined(separator: ", ")
            throw ConfigurationError(
              place(tableName, name), "unknown key '\(name)' in [\(tableName)]; known there: \(known)")
          }
          try take(key, from: table[name])
        }
      }
      return layer
    }

    private mutating func takeUpstreams(_ value: (any TOMLValueConvertible)?) throws(ConfigurationError) {
      guard let array = value?.array, array.allSatisfy({ $0.table != nil }) else {
        throw ConfigurationError(
          place(UpstreamKey.table, nil), "write [[upstream]], with two brackets, and the keys of one upstream below")
      }
      var list: [UpstreamSettings] = []
      for table in array.compactMap(\.table) {
        guard list.count < UpstreamSettings.mostUpstreams else {
          throw ConfigurationError(
            place(upstream: list.count, nil), "at most \(UpstreamSettings.mostUpstreams) upstreams are asked")
        }
        list.append(try upstream(table, number: list.count))
      }
      layer.upstreams = Setting(list, from: place(UpstreamKey.table, nil))
    }

    private func upstream(_ table: TOMLTable, number: Int) throws(ConfigurationError) -> UpstreamSettings {
      var settings = UpstreamSettings(url: "")
      for name in table.keys {
        let place = place(upstream: number, name)
        guard let key = UpstreamKey(rawValue: name) else {
          let known = UpstreamKey.allCases.map(\.rawValue).joined(separator: ", ")
          throw ConfigurationError(place, "unknown key '\(name)' in [[upstream]]; known there: \(known)")
        }
        let text: String
        switch table[name] {
        case let value? where value.string != nil: text = try expand(value.string ?? "", at: place)
        case let value? where key.isSwitch && value.bool != nil: text = String(value.bool ?? false)
        case let value? where key.isNumber && value.int != nil: text = String(value.int ?? 0)
        default: throw ConfigurationError(place, "upstream.\(name) takes \(key.expectation)")
        }
        if let flaw = settings.set(key, to: text, relativeTo: path.removingLastComponent()) {
          throw ConfigurationError(place, "upstream.\(name) \(flaw)")
        }
      }
      if let (key, flaw) = settings.flaw {
        throw ConfigurationError(place(upstream: number, key.rawValue), "upstream.\(key.rawValue) \(flaw)")
      }
      return settings
    }

    private func place(upstream number: Int, _ key: String?) -> ConfigurationError.Place {
      let locator = KeyLocator(text: text)
      let position =
        locator.position(table: UpstreamKey.table, key: key, occurrence: number)
        ?? locator.position(table: UpstreamKey.table, key: nil, occurrence: number)
      return .file(path, line: position?.line, column: position?.column)
    }

    private mutating func take(_ key: SettingKey, from value: (any TOMLValueConvertible)?) throws(ConfigurationError) {
      if key.form == .table {
        guard let tools = value?.table else { throw wrongType(key) }
        for tool in tools.keys {
          let place = place("exec.tools", tool)
          guard let isOn = tools[tool]?.bool else {
            throw ConfigurationError(place, "exec.tools.\(tool) takes true or false")
          }
          try layer.setTool("\(tool)=\(isOn)", from: place, knownTools: knownTools)
        }
        return
      }
      try layer.set(
        key, to: try text(of: value, for: key), from: place(key.table, key.name),
        relativeTo: path.removingLastComponent(),
        knownTools: knownTools)
    }

    /// The value as a variable or flag would give it, with variables expanded.
    private func text(
      of value: (any TOMLValueConvertible)?, for key: SettingKey
    ) throws(ConfigurationError) -> String {
      if key.form == .list {
        guard let array = value?.array else { throw wrongType(key) }
        var items: [String] = []
        for item in array {
          guard let string = item.string else { throw wrongType(key) }
          items.append(try expand(string, for: key))
        }
        return items.joined(separator: ",")
      }
      if let string = value?.string { return try expand(string, for: key) }
      if key.form == .textOrNumber, let number = value?.int { return String(number) }
      if key.form == .textOrSwitch, let isOn = value?.bool { return String(isOn) }
      throw wrongType(key)
    }

    private func expand(_ string: String, for key: SettingKey) throws(ConfigurationError) -> String {
      try expand(string, at: place(key.table, key.name))
    }

    private func expand(_ string: String, at place: ConfigurationError.Place) throws(ConfigurationError) -> String {
      do {
        return try VariableExpansion.expand(string, environment: environment)
      } catch {
        throw ConfigurationError(place, error.message)
      }
    }

    private func wrongType(_ key: SettingKey) -> ConfigurationError {
      ConfigurationError(place(key.table, key.name), "\(key.rawValue) takes \(key.expectation)")
    }

    private func place(_ table: String, _ key: String?) -> ConfigurationError.Place {
      let position = KeyLocator(text: text).position(table: table, key: key)
      return .file(path, line: position?.line, column: position?.column)
    }
  }
}
