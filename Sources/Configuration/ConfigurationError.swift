package import SystemPackage

/// Something a user wrote is wrong. The description names the place and what to do about it.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// Where the wrong value stands.
  package enum Place: Sendable, Equatable {
    /// A file; line and column count from 1.
    case file(FilePath, line: Int?, column: Int?)
    case environment(name: String)
    case flag(name: String)
  }

  package let place: Place
  package let message: String
  /// What follows when nothing is stopped; nil: the value, or its whole file, counts for nothing.
  package let consequence: String?

  package init(_ place: Place, _ message: String, consequence: String? = nil) {
    self.place = place
    self.message = message
    self.consequence = consequence
  }

  package var description: String {
    "\(place): \(message)"
  }

  /// For a mistake that does not stop anything: the description, and what follows from it.
  package var asIgnored: String {
    if let consequence { return "\(self); \(consequence)" }
    return if case .file = place { "\(self); the whole file is ignored" } else { "\(self); it is ignored" }
  }
}

extension ConfigurationError.Place: CustomStringConvertible {
  package var description: String {
    switch self {
    case .file(let path, let line?, let column?): "\(path):\(line):\(column)"
    case .file(let path, let line?, nil): "\(path):\(line)"
    case .file(let path, nil, _): "\(path)"
    case .environment(let name): "environment variable \(name)"
    case .flag(let name): name
    }
  }
}
