import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The mark an `exec` leaves in the environment of its build.
///
/// It tells a nested `fabrik exec` that everything is set up already. A process that outlives its build (a terminal
/// multiplexer, an editor) keeps the mark and what was injected; a later `exec` below it recognises both as left over.
struct Session {
  /// `PID` of the launcher.
  static let variable = "FABRIK_SESSION"
  /// The names of the variables that were injected, with colons between.
  static let injectedVariable = "FABRIK_INJECTED"

  /// Whether this process is part of a build that a running `fabrik exec` has set up.
  static func isNested(environment: Environment, processes: any ProcessTable) -> Bool {
    guard let launcher = environment[variable].flatMap({ pid_t($0) }) else { return false }
    return processes.firstAncestor(of: getpid()) { $0 == launcher } != nil
  }

  /// Removes what an earlier session left.
  static func clean(_ environment: inout Environment, linkDirectories: FilePath) {
    guard let names = environment[injectedVariable] else { return }
    for name in names.split(separator: ":") { environment[String(name)] = nil }
    environment[injectedVariable] = nil
    environment[variable] = nil
    guard let path = environment.bytes("PATH") else { return }
    let prefix = linkDirectories.bytes + [UInt8(ascii: "/")]
    let kept = path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      .filter { !$0.starts(with: prefix) }
    environment.setBytes("PATH", Array(kept.joined(separator: [UInt8(ascii: ":")])))
  }

  /// Marks the environment of a build.
  static func mark(_ environment: inout Environment, injected: [String]) {
    environment[variable] = String(getpid())
    environment[injectedVariable] = injected.joined(separator: ":")
  }
}
