/// One build tool: how its programs are recognised, and what makes them ask Fabrik.
package protocol BuildTool: Sendable {
  /// As in `--tool NAME=off` and `[exec] tools`.
  static var name: String { get }

  /// What it caches, for help and messages: a few words.
  static var purpose: String { get }

  /// The namespaces of what it asks for.
  static var namespaces: [String] { get }

  /// Whether a command of this name usually runs this tool, so that its absence deserves a word.
  static func isDriven(by command: String) -> Bool

  /// What to change in the build's environment. Pure: everything it knows of the machine comes from the context.
  static func wire(_ context: BuildContext) -> Wiring
}

/// All build tools Fabrik knows. Adding one touches its own file and this list.
package enum BuildTools {
  package static let all: [any BuildTool.Type] = [
    CCache.self, SwiftCompiler.self, Rust.self, Go.self, Bazel.self, Gradle.self, Turborepo.self, Nx.self, Vcpkg.self,
  ]

  package static let names: [String] = all.map { $0.name }
}
