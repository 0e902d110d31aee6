package import SystemSupport

/// Programs that this one stands in for in builds, by the names of the links to it.
package enum ToolShim: String, CaseIterable {
  /// In the way of Meson, which takes it rather than ccache.
  case sccache
  /// In place of rustc.
  case rustc = "fabrik-rustc"
  /// The owner of a build's sccache daemon.
  case sccacheKeeper = "fabrik-sccache-keeper"
  case bazel, bazelisk
  /// In the PATH of those who look for Swift's compiler there.
  case swiftc
  /// In place of Swift's compiler, with its path as the first argument.
  case swiftLauncher = "fabrik-swiftc"

  /// Does what the program is to do, and ends this process; mostly by executing the program itself.
  ///
  /// - Parameter arguments: with the name it was called by.
  package func run(arguments: [[UInt8]], environment: Environment) -> Never {
    switch self {
    case .sccache: SccacheShim.run(arguments: arguments, environment: environment)
    case .rustc: RustShim.run(arguments: Array(arguments.dropFirst()), environment: environment)
    case .sccacheKeeper: SccacheKeeper.run(arguments: Array(arguments.dropFirst()), environment: environment)
    case .swiftc: SwiftShim.runNext(arguments: arguments, environment: environment)
    case .swiftLauncher: SwiftShim.run(arguments: Array(arguments.dropFirst()), environment: environment)
    case .bazel, .bazelisk: BazelShim.run(arguments: arguments, environment: environment)
    }
  }
}
