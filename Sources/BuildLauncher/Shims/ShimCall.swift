import Glibc
import SystemPackage
import SystemSupport

/// A call of a program that a shim stands in front of, to be changed on its way: the program is the one of the same name
/// that comes after the links in PATH.
struct ShimCall {
  /// With the name it was called by, byte for byte.
  private(set) var arguments: [[UInt8]]
  /// Without the directories that Fabrik has put into PATH.
  private(set) var environment: Environment
  private let name: [UInt8]
  /// The program's file, and others that may be it, in the PATH's order.
  private let candidates: [[UInt8]]

  /// - Parameter arguments: with the name it was called by.
  init(arguments: [[UInt8]], environment: Environment) {
    self.arguments = arguments
    self.environment = environment
    Session.removeDirectories(Session.paths(of: environment), from: &self.environment)
    name = arguments.first.flatMap { FilePath(bytes: $0).lastComponent }.map { Array($0.string.utf8) } ?? []
    let own = Installation.program
    // A link that is left over, in whatever directory, is this program again.
    candidates = CommandLookup(environment: self.environment).candidates(for: name).filter { candidate in
      (try? FileSystem.realPath(FilePath(bytes: candidate))) != own
    }
  }

  /// The program's file; nil when there is none.
  var program: FilePath? { candidates.lazy.map { FilePath(bytes: $0) }.first(where: FileSystem.isExecutableFile) }

  /// Puts an argument before all others.
  mutating func insert(_ argument: String) {
    arguments.insert(Array(argument.utf8), at: min(1, arguments.count))
  }

  mutating func remove(variable: String) { environment[variable] = nil }

  /// Executes the program; ends with 127 when there is none.
  func run() -> Never {
    let failure = CommandProcess.replace(candidates: candidates, arguments: arguments, environment: environment)
    let reason = failure.exitStatus == 127 ? "command not found" : "\(failure.errno)"
    StandardStream.error.write(line: "\(String(decoding: name, as: UTF8.self)): \(reason)")
    exit(failure.exitStatus)
  }
}
