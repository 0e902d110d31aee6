import ArgumentParser
import BuildLauncher
import CacheStore
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
      let configuration = team.world.configuration.peers
      let isOn = configuration.settings != nil
      let control = team.control
      let presence = control?.presence() ?? .absent
      let server = presence.status
      let status = server?.peers
      let pending = team.records.all().count { $0.1?.consent == .pending }
      let connected = status == nil ? 0 : control?.peers().count { $0.isConnected } ?? 0
      var missing = Self.missing(configuration, status, pending: pending)
      if isOn { missing = Self.missing(presence, control?.otherDaemons().first?.1, team.world) + missing }
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
          "server     \(presence.trouble ?? Self.line(server))",
          "port       \(status?.port.map { "\($0) (TCP)" } ?? "-")",
          "discovery  \(status.map { $0.discovery.isEmpty ? "-" : DisplayText.clean($0.discovery, limit: 200) } ?? "-")",
          "offered    \(status.map { $0.entries == 1 ? "1 entry" : "\($0.entries) entries" } ?? "-")",
          "connected  \(connected)",
          "pending    \(pending)",
        ] + missing.map { "  → \($0)" })
    }

    private static func text(_ text: String?) -> JSONText { text.map { .string($0) } ?? .null }

    private static func line(_ server: ServerStatus?) -> String {
      server.map { "\($0.isDaemon ? "daemon" : "for builds"), process \($0.process)" } ?? "not running"
    }

    /// What the user may want to do about the server.
    private static func missing(
      _ presence: ServerControl.Presence, _ otherDaemon: ServerStatus?, _ world: World
    ) -> [String] {
      switch presence {
      case .absent:
        if let otherDaemon {
          return [
            "a daemon with another configuration is running (process \(otherDaemon.process)): fabrik daemon restart"
          ]
        }
        return ["other machines find this one while it builds; always, with: fabrik daemon start"]
      case .silent: return []
      case .running(let status):
        // What was built outside of the team stays outside, until a build asks for it.
        guard status.peers?.entries == 0, let store = try? world.openStore(), store.summary.entries > 0 else {
          return []
        }
        return ["what was built before there was a secret is offered once it is built again, from the cache"]
      }
    }

    /// What the user may want to do.
    private static func missing(
      _ configuration: PeerConfiguration, _ status: PeerStatus?, pending: Int
    ) -> [String] {
      guard configuration.isEnabled.value else { return ["set p2p.enabled = true to take part"] }
      guard configuration.secret.value != nil else {
        return ["set p2p.secret, the same on every machine; make one with: fabrik p2p secret"]
      }
      var missing: [String] = []
      if let problem = status?.problem { missing.append(DisplayText.clean(problem, limit: 400)) }
      if pending > 0 { missing.append("answer who is waiting: fabrik p2p pending") }
      return missing
    }
  }
}
