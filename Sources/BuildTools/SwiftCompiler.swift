import CExecPolicy
import SystemPackage
import SystemSupport

/// Swift on Linux, through the compilation cache that LLVM has built into Swift's compiler: the compiler is run by a link
/// to this program (see `SwiftShim`), which has it load libFabrikCAS.so.
package enum SwiftCompiler: BuildTool {
  package static let name = "swift"
  package static let purpose = "Swift"
  package static let namespaces = ["swift-ac", "swift-cas"]

  package static func isDriven(by command: String) -> Bool { drivers.contains(command) }

  private static let drivers: Set<String> = [
    "swift", "swift-build", "swift-package", "swift-run", "swift-test", compiler,
  ]

  /// The program that is replaced.
  package static let compiler = "swiftc"
  /// The link that is run in its place, with its path as the first argument.
  package static let shim = "fabrik-swiftc"
  /// Where libfabrik-exec.so finds the link.
  package static let launcherVariable = FABRIK_SWIFTC_VARIABLE
  /// The variables that the shim and libFabrikCAS.so look at; their names stand in FabrikCAS/plugin.c as well.
  package static let directoryVariable = "FABRIK_CAS_DIRECTORY"
  package static let socketVariable = "FABRIK_CAS_SOCKET"
  package static let leaseVariable = "FABRIK_CAS_LEASE"
  /// A directory of this build, in memory, for what finds no room on the disk.
  package static let spillVariable = "FABRIK_CAS_SPILL"
  /// A directory that compilers take for another one; see `exec.map_paths`.
  package static let mappedVariable = "FABRIK_CAS_MAPPED"
  /// A file that is made when an object is missed that a compiler was told of.
  package static let missedVariable = "FABRIK_CAS_MISSED"

  package static func wire(_ context: BuildContext) -> Wiring {
    if context.isSet("SWIFT_EXEC") { return .leftAlone("SWIFT_EXEC is set") }
    // The server's directory of the build is gone when the shell is used.
    if context.use == .shell { return .leftAlone("a shell is no build") }
    guard let endpoint = context.endpoints.compilerCache else {
      return .unavailable("Swift is not cached: libFabrikCAS.so is not beside fabrik; install it anew")
    }
    guard let program = context.host.find(compiler) else {
      return .unavailable("Swift is not cached: there is no \(compiler) on the PATH")
    }
    var wiring = Wiring()
    wiring.setProgram(program, version: nil)
    // A build finds out when it compiles something.
    if context.use == .survey {
      if let objection = context.host.objection(toCachingBy: program) {
        return .unavailable("Swift is not cached by \(program): \(objection)")
      }
      wiring.setProgram(program, version: context.host.version(of: program))
    }
    wiring.variables = [
      .init(directoryVariable, endpoint.directory.string), .init(socketVariable, endpoint.socket.string),
      .init(leaseVariable, endpoint.lease), .init(spillVariable, context.buildDirectory.appending("spill").string),
    ]
    if context.mapsPaths, let root = context.projectRoot {
      wiring.variables.append(.init(mappedVariable, root.string))
    }
    if let library = context.execLibrary {
      wiring.preload = library
      wiring.links = .init(target: context.fabrik, names: [shim], variable: launcherVariable)
    } else {
      // Whoever looks for it in the PATH.
      wiring.shims = [compiler]
    }
    wiring.silenceHint =
      "swiftc asked for no cached results; one that runs in a container, or without the PATH, does not"
    return wiring
  }
}
