package import ControlProtocol
package import SystemPackage
package import SystemSupport

/// The values in force, and where each came from.
package struct FabrikConfiguration: Sendable {
  package let cacheDirectory: Setting<FilePath>
  /// nil: 10 GB or a fifth of the free disk, whichever is less.
  package let maxSize: Setting<ByteSize?>
  package let linger: Setting<Duration>
  package let statistics: Setting<StatisticsMode>
  package let statisticsFile: Setting<FilePath?>
  /// Only what was said; a tool that is absent is on.
  package let tools: [String: Setting<Bool>]
  /// Whether what the last build asked for is fetched before the next one does.
  package let prefetch: Setting<Bool>
  /// Whether compilers that are called by their paths are cached, too.
  package let absoluteCompilers: Setting<Bool>
  /// Whether Swift's compiler is told another name for the project's directory, so that results fit other directories.
  package let mapsPaths: Setting<Bool>
  package let peers: PeerConfiguration
  /// In the order in which they are asked.
  package let upstreams: Setting<[UpstreamSettings]>

  /// - Parameter layers: the strongest first.
  package init(layers: [ConfigurationLayer], paths: StandardPaths, environment: Environment) {
    cacheDirectory = layers.lazy.compactMap(\.cacheDirectory).first ?? Setting(paths.cache)
    maxSize = layers.lazy.compactMap(\.maxSize).first ?? Setting(nil)
    // Runners of CI systems wait for, or kill, what outlives the step.
    let defaultLinger = environment.nonEmpty("CI") == nil ? Duration.seconds(30) : .zero
    linger = layers.lazy.compactMap(\.linger).first ?? Setting(defaultLinger)
    statistics = layers.lazy.compactMap(\.statistics).first ?? Setting(.line)
    let file = layers.lazy.compactMap(\.statisticsFile).first
    statisticsFile = Setting(file?.value, from: file?.place)
    peers = PeerConfiguration(layers: layers.map(\.peers))
    upstreams = layers.lazy.compactMap(\.upstreams).first ?? Setting([])
    prefetch = layers.lazy.compactMap(\.prefetch).first ?? Setting(true)
    absoluteCompilers = layers.lazy.compactMap(\.absoluteCompilers).first ?? Setting(true)
    mapsPaths = layers.lazy.compactMap(\.mapsPaths).first ?? Setting(false)
    tools = layers.reversed().reduce(into: [:]) { all, layer in all.merge(layer.tools) { $1 } }
  }

  package func isOn(tool: String) -> Bool {
    tools[tool]?.value ?? true
  }
}
