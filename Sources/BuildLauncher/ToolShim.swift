import SystemPackage
package import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Programs that this one stands in for in builds, by the names of the links to it.
package enum ToolShim: String, CaseIterable {
  /// In the way of Meson, which takes it rather than ccache.
  case sccache
  /// In place of rustc.
  case rustc = "fabrik-rustc"
  /// The owner of a build's sccache daemon.
  case sccacheKeeper = "fabrik-sccache-keeper"

  /// Does what the program is to do, and ends this process; mostly by executing the program itself.
  ///
  /// - Parameter arguments: with the name it was called by.
  package func run(arguments: [[UInt8]], environment: Environment) -> Never {
    switch self {
    case .sccache: SCCacheShim.run(arguments: arguments, environment: environment)
    case .rustc: RustShim.run(arguments: Array(arguments.dropFirst()), environment: environment)
    case .sccacheKeeper: SccacheKeeper.run(arguments: Array(arguments.dropFirst()), environment: environment)
    }
  }

  /// Executes the program of this name that comes after the links in PATH, without these; ends with 127 when there is none.
  static func executeProgram(arguments: [[UInt8]], environment: Environment) -> Never {
    var environment = environment
    Session.removeDirectories(Session.paths(of: environment), from: &environment)
    let name = FilePath(bytes: arguments[0]).lastComponent.map { Array($0.string.utf8) } ?? []
    // A link that is left over, in whatever directory, is this program again.
    let candidates = CommandLookup(environment: environment).candidates(for: name).filter { candidate in
      (try? FileSystem.realPath(FilePath(bytes: candidate))) != ServerStarter.thisProgram
    }
    let failure = CommandProcess.replace(candidates: candidates, arguments: arguments, environment: environment)
    StandardStream.error.write(line: "fabrik: \(String(decoding: name, as: UTF8.self)): \(failure.errno)")
    exit(failure.exitStatus)
  }
}
