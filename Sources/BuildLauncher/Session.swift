import CExecPolicy
import Glibc
import SystemPackage
import SystemSupport

/// The mark an `exec` leaves in the environment of its build.
///
/// It tells a nested `fabrik exec` that everything is set up already. A process that outlives its build (a terminal
/// multiplexer, an editor) keeps the mark and what was injected; a later `exec` below it recognises both as left over.
struct Session {
  /// `PID` of the launcher.
  static let variable = FABRIK_SESSION_VARIABLE
  /// What was injected, with colons between: names of variables, and (beginning with a slash) directories of PATH and
  /// preloaded libraries.
  static let injectedVariable = FABRIK_INJECTED_VARIABLE

  /// Before the name of a variable that had a value of the user's, which Fabrik has added to.
  static let originalPrefix = "FABRIK_ORIGINAL_"

  /// Sets a variable of a build, and keeps what it was.
  static func inject(_ variable: String, _ value: String?, into environment: inout Environment) {
    if let original = environment.bytes(variable) {
      environment.setBytes(originalPrefix + variable, Array(original))
    }
    environment[variable] = value
  }

  /// Whether this process is part of a build that a running `fabrik exec` has set up.
  static func isNested(environment: Environment, processes: any ProcessTable) -> Bool {
    guard let launcher = environment[variable].flatMap({ pid_t($0) }) else { return false }
    return processes.firstAncestor(of: getpid()) { $0 == launcher } != nil
  }

  /// Removes what an earlier session left.
  static func clean(_ environment: inout Environment) {
    guard let injected = environment[injectedVariable]?.split(separator: ":") else { return }
    for name in injected.map(String.init) where !name.hasPrefix("/") {
      environment.setBytes(name, environment.bytes(originalPrefix + name).map(Array.init))
      environment[originalPrefix + name] = nil
    }
    let paths = paths(of: environment)
    environment[injectedVariable] = nil
    environment[variable] = nil
    ExecLibrary.remove(paths, from: &environment)
    removeDirectories(paths, from: &environment)
  }

  /// The directories and libraries that were injected.
  static func paths(of environment: Environment) -> [[UInt8]] {
    (environment[injectedVariable]?.split(separator: ":") ?? []).filter { $0.hasPrefix("/") }.map { Array($0.utf8) }
  }

  /// Takes directories out of PATH.
  static func removeDirectories(_ directories: [[UInt8]], from environment: inout Environment) {
    guard let path = environment.bytes("PATH") else { return }
    let kept = path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      .filter { !directories.contains(Array($0)) }
    environment.setBytes("PATH", Array(kept.joined(separator: [UInt8(ascii: ":")])))
  }

  /// Marks the environment of a build.
  static func mark(_ environment: inout Environment, injected: [String]) {
    environment[variable] = String(getpid())
    environment[injectedVariable] = injected.joined(separator: ":")
  }
}
