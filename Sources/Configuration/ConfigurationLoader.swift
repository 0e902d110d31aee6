package import SystemPackage
package import SystemSupport

/// Finds and combines the sources of configuration: flags, `FABRIK_*` variables, the project's file, the user's file.
package struct ConfigurationLoader: Sendable {
  package let environment: Environment
  package let workingDirectory: FilePath
  /// Names that `exec.tools` may hold.
  package let knownTools: [String]

  package init(environment: Environment, workingDirectory: FilePath, knownTools: [String]) {
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.knownTools = knownTools
  }

  package struct Result: Sendable {
    package let configuration: FabrikConfiguration
    /// The files that were read, the project's first.
    package let files: [FilePath]
    /// What is wrong with files and variables nobody named explicitly. A broken file counts for nothing as a whole.
    package let problems: [ConfigurationError]
  }

  /// - Parameter named: the file of `--config` or `FABRIK_CONFIG`; it takes the place of both discovered files.
  /// - Throws: what is wrong with the named file. Discovered files never throw.
  package func load(named: FilePath? = nil, flags: ConfigurationLayer = .init()) throws(ConfigurationError) -> Result {
    var problems: [ConfigurationError] = []
    let variables = environmentLayer(problems: &problems)
    let paths = StandardPaths(environment: environment)
    var files: [FilePath] = []
    var layers = [flags, variables]
    let named = named ?? environment.nonEmpty("FABRIK_CONFIG").map { FilePath($0) }
    if let named {
      let path = workingDirectory.pushing(named)
      layers.append(try ConfigurationFile.read(path, environment: environment, knownTools: knownTools))
      files.append(path)
    } else {
      for path in [projectFile(), paths.config.appending("config.toml")].compactMap({ $0 })
      where FileSystem.exists(path) {
        do {
          layers.append(try ConfigurationFile.read(path, environment: environment, knownTools: knownTools))
          files.append(path)
        } catch {
          problems.append(error)
        }
      }
    }
    let configuration = FabrikConfiguration(layers: layers, paths: paths, environment: environment)
    if let flaw = configuration.peers.flaw {
      if named != nil, case .file = flaw.place { throw flaw }
      problems.append(flaw)
    }
    return Result(configuration: configuration, files: files, problems: problems)
  }

  /// The nearest `.fabrik.toml` at or above the working directory.
  func projectFile() -> FilePath? {
    workingDirectory.ancestors.map { $0.appending(ConfigurationFile.projectName) }.first(where: FileSystem.exists)
  }

  private func environmentLayer(problems: inout [ConfigurationError]) -> ConfigurationLayer {
    var layer = ConfigurationLayer()
    for key in SettingKey.allCases {
      guard let text = environment.nonEmpty(key.variable) else { continue }
      do {
        try layer.set(
          key, to: text, from: .environment(name: key.variable), relativeTo: workingDirectory, knownTools: knownTools)
      } catch {
        problems.append(error)
      }
    }
    if let text = environment.nonEmpty(UpstreamKey.variable) {
      do {
        try layer.setUpstreams(to: text, from: .environment(name: UpstreamKey.variable))
      } catch {
        problems.append(error)
      }
    }
    return layer
  }
}
