import BuildLauncher
import BuildTools
import ControlProtocol
import SystemSupport

extension DoctorCommand {
  /// How one build tool is.
  struct ToolReport {
    let name: String
    let purpose: String
    let wiring: Wiring
    /// What is set for it, with PATH if links come first there.
    let sets: [String]

    init(_ tool: any BuildTool.Type, _ wiring: Wiring) {
      name = tool.name
      purpose = tool.purpose
      self.wiring = wiring
      sets =
        wiring.state == .wired
        ? wiring.overlays.map(\.variable) + wiring.variables.map(\.name) + [wiring.links?.variable].compactMap { $0 }
          + (wiring.putsLinksInPath ? ["PATH"] : []) + (wiring.preload == nil ? [] : ["LD_PRELOAD"])
          + (wiring.arguments.isEmpty ? [] : ["arguments"]) : []
    }

    private var status: String {
      switch wiring.state {
      case .wired: "wired"
      case .leftAlone: "left alone"
      case .unavailable: "unavailable"
      }
    }

    private var reason: String? {
      switch wiring.state {
      case .wired: nil
      case .leftAlone(let reason), .unavailable(let reason): reason
      }
    }

    var json: JSONText {
      .object([
        ("name", .string(name)), ("purpose", .string(purpose)), ("state", .string(status)),
        ("reason", reason.map { .string($0) } ?? .null), ("program", wiring.program.map { .string($0) } ?? .null),
        ("sets", .array(sets.map { .string($0) })), ("kept", .array(wiring.kept.map { .string($0) })),
      ])
    }

    /// - Parameter width: of the column of names.
    func lines(width: Int) -> [String] {
      let indent = "  " + name.padded(to: width) + "  "
      let margin = String(repeating: " ", count: width + 4)
      guard wiring.state == .wired else {
        // A sentence of its own where something is missing.
        return ["\(indent)\(status == "left alone" ? "\(purpose): left alone, \(reason ?? "")" : reason ?? "")"]
      }
      return ["\(indent)\(purpose): \(wiring.program ?? "not on the PATH, but wired in case it is run")"]
        + ["\(margin)sets \(sets.joined(separator: ", "))"]
        + (wiring.kept.isEmpty ? [] : ["\(margin)keeps \(wiring.kept.joined(separator: "; "))"])
    }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
