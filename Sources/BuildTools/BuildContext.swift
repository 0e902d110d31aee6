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

/// Where tools reach the server.
package struct CacheEndpoints: Sendable, Equatable {
  /// A Unix socket that speaks ccache's storage helper protocol.
  package let crshSocket: FilePath
  /// Port on 127.0.0.1.
  package let httpPort: UInt16
  /// To be shown as `Authorization: Bearer`.
  package let httpToken: String
  /// The words of the command that speaks Go's cache protocol: an absolute path and arguments; empty when there is none.
  package let goCacheProgram: [String]
  /// For compilers that load libFabrikCAS.so; nil when it is not there.
  package let compilerCache: CompilerCacheEndpoint?

  package init(
    crshSocket: FilePath, httpPort: UInt16, httpToken: String, goCacheProgram: [String] = [],
    compilerCache: CompilerCacheEndpoint? = nil
  ) {
    self.goCacheProgram = goCacheProgram
    self.compilerCache = compilerCache
    self.crshSocket = crshSocket
    self.httpPort = httpPort
    self.httpToken = httpToken
  }

  /// For what outlives a build, which is then taken for the likely one's: the token without the lease.
  var lastingToken: String { String(httpToken.prefix { $0 != "." }) }

  /// What a tool that takes an address gets: the front end, and the root of the tool's dialect.
  func address(_ root: String) -> String { "http://127.0.0.1:\(httpPort)\(root)" }
}

/// What libFabrikCAS.so works with.
package struct CompilerCacheEndpoint: Sendable, Equatable {
  package let socket: FilePath
  /// Of the build.
  package let lease: String
  /// Where compilers keep what they hand to each other.
  package let directory: FilePath

  package init(socket: FilePath, lease: String, directory: FilePath) {
    self.socket = socket
    self.lease = lease
    self.directory = directory
  }
}

/// A program on the user's PATH.
package struct Program: Sendable, Equatable {
  package let name: String
  /// With links followed.
  package let file: FilePath
  /// When the file was last changed, in seconds since 1970.
  package let modified: Int

  package init(name: String, file: FilePath, modified: Int) {
    self.name = name
    self.file = file
    self.modified = modified
  }
}

/// The machine, as far as wiring needs it.
package protocol ToolHost: Sendable {
  /// The first executable of this name on the user's PATH.
  func find(_ name: String) -> FilePath?
  /// What `PROGRAM OPTION` prints, two lines at the most; remembered until the program's file changes.
  func version(of program: FilePath, option: String) -> String?
  /// Programs on the user's PATH whose names satisfy the condition, by name, each once: the first on the PATH.
  /// Remembered until a directory of the PATH changes.
  func programs(_ kind: String, where condition: (String) -> Bool) -> [Program]
  /// Whether a small C file compiles through this ccache when it is told of such a remote storage, which need not be
  /// there. ccache fails the build over an address it does not understand, and a script of its name does not know what to
  /// do when it is called as a compiler. Success is remembered until ccache or the compiler changes.
  func compiles(with ccache: FilePath, compiler: Program, remoteStorage: String) -> Bool
  /// Why this compiler of Swift cannot use libFabrikCAS.so, found out by trying; nil when it can. Remembered until one of
  /// them changes; the first time takes seconds.
  func objection(toCachingBy compiler: FilePath) -> String?
  func exists(_ path: FilePath) -> Bool
  /// Whether files can be made in this directory, or in it once it has been made.
  func canWrite(in directory: FilePath) -> Bool
  /// The content of a small text file; nil when it cannot be read.
  func read(_ path: FilePath) -> String?
}

extension ToolHost {
  /// What `PROGRAM --version` prints.
  func version(of program: FilePath) -> String? { version(of: program, option: "--version") }
}
