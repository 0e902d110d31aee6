package import SystemPackage
package import SystemSupport

/// What a wiring is for.
package enum WiringUse: Sendable {
  /// A build, which ends.
  case build
  /// A shell, whose server may be another one by the time that a tool is run.
  case shell
  /// To be looked at: nothing is written.
  case survey
}

/// What a build tool's wiring may depend on.
package struct BuildContext: Sendable {
  /// What the user runs, with its arguments.
  package let command: [String]
  /// As the user's shell gave it.
  package let environment: Environment
  package let endpoints: CacheEndpoints
  /// Where the command runs; the root when that cannot be known.
  package let workingDirectory: FilePath
  package let use: WiringUse
  /// The top of the source tree: paths below it differ from one checkout to the next. nil when there is none.
  package let projectRoot: FilePath?
  /// A private directory that can be written, whatever the state of the home directory.
  package let scratch: FilePath
  /// A directory of this build alone, made when a file is put there; it goes with the build.
  package let buildDirectory: FilePath
  /// This program.
  package let fabrik: FilePath
  package let host: any ToolHost
  /// The library that sees compilers which are called by their paths; nil when it must not, or cannot, be loaded into the
  /// command.
  package let execLibrary: FilePath?
  /// Whether compilers may be told another name for the project's directory.
  package let mapsPaths: Bool

  package init(
    command: [String], environment: Environment, endpoints: CacheEndpoints, projectRoot: FilePath?, scratch: FilePath,
    buildDirectory: FilePath, fabrik: FilePath, host: any ToolHost, execLibrary: FilePath? = nil,
    workingDirectory: FilePath = "/", use: WiringUse = .build, mapsPaths: Bool = false
  ) {
    self.workingDirectory = workingDirectory
    self.use = use
    self.mapsPaths = mapsPaths
    self.command = command
    self.environment = environment
    self.endpoints = endpoints
    self.projectRoot = projectRoot
    self.scratch = scratch
    self.buildDirectory = buildDirectory
    self.fabrik = fabrik
    self.host = host
    self.execLibrary = execLibrary
  }

  /// The name of the command's program.
  package var program: String { command.first.flatMap { FilePath($0).lastComponent?.string } ?? "" }

  /// The working directory, and those above it as far as the top of the source tree, from there upwards.
  var projectDirectories: [FilePath] {
    guard let projectRoot, workingDirectory.starts(with: projectRoot) else { return [workingDirectory] }
    return workingDirectory.ancestors.prefix { $0.starts(with: projectRoot) }
  }

  /// Whether one of the project's directories has one of these files.
  func hasProjectFile(_ names: String...) -> Bool {
    projectDirectories.contains { directory in names.contains { host.exists(directory.appending($0)) } }
  }

  /// Whether the user's environment has the variable, with whatever value.
  func isSet(_ variable: String) -> Bool { environment[variable] != nil }

  /// The first of the variables that the user has set.
  func firstSet(of variables: String...) -> String? { variables.first(where: isSet) }
}
