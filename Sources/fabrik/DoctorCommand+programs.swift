import BuildLauncher
import SystemPackage
import SystemSupport

extension DoctorCommand {
  /// What was installed with this program.
  struct ProgramReport {
    private let parts = InstalledPart.allCases.map { ($0, $0.file) }

    /// Without the server nothing is cached.
    var isComplete: Bool { parts.allSatisfy { $0.1 != nil || $0.0 != .server } }

    var line: String {
      let missing = parts.filter { $0.1 == nil }.map(\.0.rawValue)
      guard !missing.isEmpty else { return "fabrik with \(parts.map(\.0.rawValue).joined(separator: ", "))" }
      return "\(missing.joined(separator: ", ")) not found beside fabrik or in ../libexec/fabrik: install Fabrik anew"
    }

    var json: JSONText {
      .object(parts.map { ($0.0.rawValue, $0.1.map { .string($0.string) } ?? .null) })
    }
  }
}
