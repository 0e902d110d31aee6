package import SystemPackage

/// What one tool needs in the environment of a build.
package struct Wiring: Sendable, Equatable {
  /// A variable to set, or to remove.
  package struct Variable: Sendable, Equatable {
    package let name: String
    package let value: String?

    package init(_ name: String, _ value: String?) {
      self.name = name
      self.value = value
    }
  }

  /// A directory of links, all to one program, that goes first in PATH.
  package struct Links: Sendable, Equatable {
    package let target: FilePath
    package let names: [String]
    /// Gets the first link's path; the directory then stays out of PATH.
    package let variable: String?

    package init(target: FilePath, names: [String], variable: String? = nil) {
      self.target = target
      self.names = names
      self.variable = variable
    }
  }

  /// A file that has to be there while the build runs.
  package struct File: Sendable, Equatable {
    package let path: FilePath
    package let text: String

    package init(_ path: FilePath, _ text: String) {
      self.path = path
      self.text = text
    }
  }

  /// A directory that leads to all that is in another one, and has more.
  package struct Overlay: Sendable, Equatable {
    /// Is set to its path.
    package let variable: String
    package let original: FilePath
    /// Made in the original when they are missing, so that what is written there is not lost.
    package let directories: [String]
    /// With paths relative to the overlay, in directories of which everything else is the original's.
    package let additions: [File]

    package init(variable: String, original: FilePath, directories: [String], additions: [File]) {
      self.variable = variable
      self.original = original
      self.directories = directories
      self.additions = additions
    }
  }

  /// Whether the tool will ask Fabrik.
  package enum State: Sendable, Equatable {
    case wired
    /// The user has arranged things otherwise; why, for `-v`.
    case leftAlone(String)
    /// Something is missing; a sentence that says what to do.
    case unavailable(String)
  }

  package var state = State.wired
  /// The program that asks Fabrik, and its version, for who wants to know; nil: the tool itself, wherever it is.
  package var program: String?
  package var variables: [Variable] = []
  package var links: Links?
  /// Names by which this program stands in for others: links to it, in a directory that goes first in PATH.
  package var shims: [String] = []
  /// A library to be loaded into the command, after those of the user's.
  package var preload: FilePath?
  /// Inserted between COMMAND and its arguments: where the tool takes what it needs from nowhere else.
  package var arguments: [String] = []
  package var files: [File] = []
  package var overlays: [Overlay] = []
  /// What was not touched because the user has set it, for `-v`.
  package var kept: [String] = []
  /// What to say when the tool was wired and yet never asked; nothing where that is usual.
  package var silenceHint = ""
  /// Whether to say that only with `-v`: the tool tells by itself that there was nothing to do.
  package var isSilenceUsual = false

  package init() {}

  /// Names the program, and the first line of what it says of its version.
  mutating func setProgram(_ program: FilePath, version: String?) {
    self.program = version.map { "\(program), \($0.prefix { !$0.isNewline })" } ?? program.string
  }

  /// Whether links come first in PATH for it.
  package var putsLinksInPath: Bool { !shims.isEmpty || (links != nil && links?.variable == nil) }

  package static func leftAlone(_ reason: String) -> Wiring {
    var wiring = Wiring()
    wiring.state = .leftAlone(reason)
    return wiring
  }

  package static func unavailable(_ reason: String) -> Wiring {
    var wiring = Wiring()
    wiring.state = .unavailable(reason)
    return wiring
  }
}
