package import ControlProtocol
package import SystemPackage

/// The values that one source (a file, the environment, the flags) gives, each checked, all optional.
package struct ConfigurationLayer: Sendable {
  package var cacheDirectory: Setting<FilePath>?
  /// Of nil: the default.
  package var maxSize: Setting<ByteSize?>?
  package var linger: Setting<Duration>?
  package var statistics: Setting<StatisticsMode>?
  package var statisticsFile: Setting<FilePath>?
  package var tools: [String: Setting<Bool>] = [:]
  package var prefetch: Setting<Bool>?
  package var absoluteCompilers: Setting<Bool>?
  package var mapsPaths: Setting<Bool>?
  package var peers = PeerLayer()
  package var upstreams: Setting<[UpstreamSettings]>?

  package init() {}

  /// Takes over one value given as text. Throws what is wrong with it.
  package mutating func set(
    _ key: SettingKey, to text: String, from place: ConfigurationError.Place, relativeTo base: FilePath,
    knownTools: [String]
  ) throws(ConfigurationError) {
    let wrong = ConfigurationError(place, "\(key.rawValue) takes \(key.expectation), not '\(text)'")
    if text.hasPrefix("~"), key == .cacheDirectory || key == .statisticsFile {
      throw ConfigurationError(place, "'~' is not expanded; write ${HOME}\(text.dropFirst())")
    }
    switch key {
    case .cacheDirectory:
      guard !text.isEmpty else { throw wrong }
      cacheDirectory = Setting(base.pushing(FilePath(text)).lexicallyNormalized(), from: place)
    case .statisticsFile:
      guard !text.isEmpty else { throw wrong }
      statisticsFile = Setting(base.pushing(FilePath(text)).lexicallyNormalized(), from: place)
    case .maxSize:
      if text == "auto" {
        maxSize = Setting(nil, from: place)
        return
      }
      guard let size = ByteSize(text) else { throw wrong }
      guard size.bytes >= Self.smallestCache else {
        throw ConfigurationError(place, "cache.max_size must be at least 1MB, not '\(text)'")
      }
      maxSize = Setting(size, from: place)
    case .linger:
      guard let duration = Duration(text: text) else { throw wrong }
      linger = Setting(duration, from: place)
    case .statistics:
      guard let mode = StatisticsMode(rawValue: text) else { throw wrong }
      statistics = Setting(mode, from: place)
    case .tools:
      for item in text.split(separator: ",") { try setTool(item, from: place, knownTools: knownTools) }
    case .prefetch:
      guard let value = Bool(setting: text) else { throw wrong }
      prefetch = Setting(value, from: place)
    case .absoluteCompilers:
      guard let value = Bool(setting: text) else { throw wrong }
      absoluteCompilers = Setting(value, from: place)
    case .mapsPaths:
      guard let value = Bool(setting: text) else { throw wrong }
      mapsPaths = Setting(value, from: place)
    case .peersEnabled, .peersSecret, .peersConsent, .peersAddresses, .peersPort, .peersInterfaces, .peersName:
      try peers.set(key, to: text, from: place)
    }
  }

  /// Takes over the URLs of ``UpstreamKey/variable``. Throws what is wrong with them.
  mutating func setUpstreams(to text: String, from place: ConfigurationError.Place) throws(ConfigurationError) {
    var list: [UpstreamSettings] = []
    for item in text.split(separator: ",") {
      var settings = UpstreamSettings(url: "")
      if let flaw = settings.set(.url, to: String(item.filter { $0 != " " }), relativeTo: "/") {
        throw ConfigurationError(place, "an upstream's url \(flaw)")
      }
      list.append(settings)
    }
    guard list.count <= UpstreamSettings.mostUpstreams else {
      throw ConfigurationError(place, "at most \(UpstreamSettings.mostUpstreams) upstreams are asked")
    }
    upstreams = Setting(list, from: place)
  }

  /// Smaller than one ordinary object file, a cache would only cost time.
  private static let smallestCache: UInt64 = 1_000_000

  /// Takes over `NAME=on` or `NAME=off`.
  package mutating func setTool(
    _ text: some StringProtocol, from place: ConfigurationError.Place, knownTools: [String]
  ) throws(ConfigurationError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard knownTools.contains(name) else {
      let known = knownTools.joined(separator: ", ")
      throw ConfigurationError(place, "unknown tool '\(name)'; Fabrik knows: \(known)")
    }
    switch parts.count == 2 ? parts[1] : "" {
    case "on", "true": tools[name] = Setting(true, from: place)
    case "off", "false": tools[name] = Setting(false, from: place)
    default: throw ConfigurationError(place, "write \(name)=on or \(name)=off, not '\(text)'")
    }
  }
}
