import ArgumentParser
import BuildLauncher
import BuildTools
import CSpawn
import CacheStore
import Configuration
import PeerRecords
import SystemPackage
import SystemSupport

/// The configuration in force where the command runs.
struct World {
  let environment: Environment
  let loaded: ConfigurationLoader.Result
  private let directory: FilePath

  /// - Parameter named: the file of `--config`.
  init(named: String?) throws {
    environment = Environment(block: fabrik_environ())
    directory = try FileSystem.currentDirectory()
    let loader = ConfigurationLoader(
      environment: environment, workingDirectory: directory, knownTools: BuildTools.names)
    loaded = try loader.load(named: named.map { FilePath($0) })
  }

  var configuration: FabrikConfiguration { loaded.configuration }

  /// What builds here are prepared with.
  var preparation: BuildPreparation {
    BuildPreparation(configuration: configuration, environment: environment, workingDirectory: directory)
  }

  /// Who has been met, and what was said about them.
  var peerRecords: PeerRecords {
    PeerRecords(directory: StandardPaths(environment: environment).data.appending("peers"))
  }

  /// Opens the store, made when it is missing.
  ///
  /// - Parameter scope: where entries are looked for.
  func openStore(scope: Scope = .private) throws -> CacheStore {
    for problem in loaded.problems { StandardStream.error.write(line: "fabrik: \(problem.asIgnored)") }
    let directory = configuration.cacheDirectory.value
    do {
      return try CacheStore(directory: directory, maxSize: configuration.maxSize.value?.bytes, scope: scope)
    } catch {
      throw CommandFailure(description: "the cache in \(directory) cannot be opened: \(error)")
    }
  }
}

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
