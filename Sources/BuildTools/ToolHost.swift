package import SystemPackage

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
