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

  /// Says what is wrong with files that nobody named, which are ignored.
  ///
  /// - Parameter saysProblems: false where the command does it in its own way, or standard error must stay empty.
  init(_ options: ConfigurationOption, saysProblems: Bool = true) throws {
    environment = Environment(block: fabrik_environ())
    directory = try FileSystem.currentDirectory()
    let loader = ConfigurationLoader(
      environment: environment, workingDirectory: directory, knownTools: BuildTools.names)
    loaded = try loader.load(named: options.config.map { FilePath($0) })
    guard saysProblems else { return }
    for problem in loaded.problems { StandardStream.error.write(line: "fabrik: \(problem.asIgnored)") }
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
    let directory = configuration.cacheDirectory.value
    do {
      return try CacheStore(directory: directory, maxSize: configuration.maxSize.value?.bytes, scope: scope)
    } catch {
      throw CommandFailure(description: "the cache in \(directory) cannot be opened: \(error)")
    }
  }
}
