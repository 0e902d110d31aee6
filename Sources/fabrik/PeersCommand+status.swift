import ArgumentParser
import BuildLauncher
import Configuration
import ControlProtocol
import PeerRecords
import SystemSupport

extension PeersCommand {
  /// How this machine takes part.
  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show whether this machine takes part, and what is missing if not.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let team = try Team(options)
      for problem in team.world.loaded.problems { StandardStream.error.write(line: "fabrik: \(problem.asIgnored)") }
      let configuration = team.world.configuration.peers
      let isOn = configuration.settings != nil
      let server = team.control?.status()
      let status = server?.peers
      let pending = team.records.all().count { $0.1?.consent == .pending }
      let connected = status == nil ? 0 : team.control?.peers().count { $0.isConnected } ?? 0
      let missing = Self.missing(configuration, server, status, pending: pending)
      format.print(
        [
          ("enabled", .bool(isOn)), ("name", .string(configuration.name.value)),
          ("consent", .string(configuration.consent.value.rawValue)), ("server", .bool(server != nil)),
          ("daemon", .bool(server?.isDaemon == true)), ("id", Self.text(status?.identifier)),
          ("port", status?.port.map { .integer($0) } ?? .null), ("discovery", Self.text(status?.discovery)),
          ("entries", .integer(status?.entries ?? 0)), ("connected", .integer(connected)),
          ("pending", .integer(pending)),
          ("missing", .array(missing.map { .string($0) })),
        ],
        lines: [
          "peers      \(isOn ? "on, consent \(configuration.consent.value.rawValue)" : "off")",
          "name       \(configuration.name.value)",
          "id         \(status?.identifier ?? "-")",
          "server     \(Self.line(server))",
          "port       \(status?.port.map { "\($0) (TCP)" } ?? "-")",
          "discovery  \(status.map { $0.discovery.isEmpty ? "-" : DisplayText.clean($0.discovery, limit: 200) } ?? "-")",
          "offered    \(status.map { "\($0.entries) entries" } ?? "-")",
          "connected  \(connected)",
          "pending    \(pending)",
        ] + missing.map { "  → \($0)" })
    }

    private static func text(_ text: String?) -> JSONText { text.map { .string($0) } ?? .null }

    private static func line(_ server: ServerStatus?) -> String {
      server.map { "\($0.isDaemon ? "daemon" : "for builds"), process \($0.process)" } ?? "not running"
    }

    /// What the user may want to do.
    private static func missing(
      _ configuration: PeerConfiguration, _ server: ServerStatus?, _ status: PeerStatus?, pending: Int
    ) -> [String] {
      guard configuration.isEnabled.value else { return ["set p2p.enabled = true to take part"] }
      guard configuration.secret.value != nil else {
        return ["set p2p.secret, the same on every machine; make one with: fabrik p2p secret"]
      }
      var missing: [String] = []
      if server == nil {
        missing.append("other machines find this one while it builds; always, with: fabrik daemon start")
      }
      if let problem = status?.problem { missing.append(DisplayText.clean(problem, limit: 400)) }
      if pending > 0 { missing.append("answer who is waiting: fabrik p2p pending") }
      return missing
    }
  }
}
