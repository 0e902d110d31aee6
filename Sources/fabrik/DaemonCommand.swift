import ArgumentParser
import BuildLauncher
import Configuration
import ControlProtocol
import SystemSupport

/// `fabrik daemon`: a server that stays.
struct DaemonCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "daemon",
    abstract: "Keep the server running between builds.",
    discussion: """
      Builds start a server by themselves, which ends a while after the last. A daemon stays, so that other machines \
      find what this one has built also when nothing is built here.
      """,
    subcommands: [Start.self, Stop.self, Status.self, Restart.self])

  /// Begins, or keeps what is there.
  struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Start the daemon, or make the running server one.",
      discussion: "Its configuration is the one in force here: outside of projects, the user's.")

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Stay until the daemon ends, and end it at SIGTERM: for service managers.")
    var foreground = false

    func run() throws {
      let control = try ServerControl(world: World(options))
      guard foreground else { return try Self.start(control) }
      let watch = ForegroundWatch()
      let kept = try control.keepOrFail()
      StandardStream.output.write(line: Self.line(kept.before, control.status()))
      guard watch.run(kept, instance: control.instance) else {
        throw CommandFailure(description: "the daemon ended unexpectedly")
      }
    }

    /// Says in one line what was done.
    static func start(_ control: ServerControl) throws {
      let kept = try control.keepOrFail()
      StandardStream.output.write(line: line(kept.before, control.status()))
      for (_, other) in control.otherDaemons() {
        StandardStream.error.write(
          line: "fabrik: another daemon with another configuration is running (process \(other.process)); "
            + "'fabrik daemon restart' leaves only this one")
      }
    }

    private static func line(_ before: KeptServer.Before, _ status: ServerStatus?) -> String {
      let process = status.map { " (process \($0.process))" } ?? ""
      return switch before {
      case .absent: "the daemon was started\(process)"
      case .ephemeral: "the server that builds have started stays as the daemon\(process)"
      case .daemon: "the daemon is running already\(process)"
      }
    }
  }

  /// Ends all of them.
  struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End the daemon, after the builds that use it.")

    @OptionGroup var options: ConfigurationOption

    func run() throws {
      let control = try ServerControl(world: World(options))
      let stops = try control.stopAll()
      let leases = stops.reduce(0) { if case .waiting(let leases) = $1 { $0 + leases } else { $0 } }
      if leases > 0 {
        let builds = leases == 1 ? "the running build" : "the \(leases) running builds"
        StandardStream.output.write(line: "the daemon ends after \(builds)")
      } else {
        StandardStream.output.write(line: stops.contains(.ended) ? "the daemon was ended" : "no daemon is running")
      }
    }
  }

  /// Whether there is one.
  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show whether the daemon is running; the exit status is 3 if it is not.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let control = try ServerControl(world: World(options))
      let presence = control.presence()
      let status = presence.status
      let others = control.otherDaemons().map(\.1)
      format.print(
        [
          ("running", .bool(status?.isDaemon == true)),
          ("server", status.map(Self.json) ?? .object([])),
          ("others", .array(others.map(Self.json))),
        ],
        lines: [Self.line(presence)]
          + others.map { "another daemon with another configuration is running (process \($0.process))" })
      guard status?.isDaemon == true else { throw ExitCode(3) }
    }

    private static func line(_ presence: ServerControl.Presence) -> String {
      guard let status = presence.status else { return presence.trouble ?? "no daemon is running" }
      let builds =
        switch status.leases {
        case 0: "no build uses it"
        case 1: "1 build uses it"
        default: "\(status.leases) builds use it"
        }
      let time = Duration.milliseconds(status.uptimeMilliseconds).spoken
      if status.isDaemon { return "the daemon is running (process \(status.process)) for \(time); \(builds)" }
      return "no daemon is running; a server that ends after the last build is (process \(status.process)); \(builds)"
    }

    private static func json(_ status: ServerStatus) -> JSONText {
      .object([
        ("version", .string(status.version)), ("process", .integer(status.process)),
        ("uptime_ms", .integer(status.uptimeMilliseconds)), ("daemon", .bool(status.isDaemon)),
        ("builds", .integer(status.leases)),
      ])
    }
  }

  /// For a new configuration or version.
  struct Restart: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End the daemon and start it again, with the configuration in force now.")

    @OptionGroup var options: ConfigurationOption

    func run() throws {
      let control = try ServerControl(world: World(options))
      let all = [control.status()].compactMap { $0 } + control.otherDaemons().map(\.1)
      let leases = all.reduce(0) { $0 + $1.leases }
      guard leases == 0 else {
        let builds = leases == 1 ? "a build is" : "\(leases) builds are"
        throw CommandFailure(description: "\(builds) using the server, which was left as it is; try again afterwards")
      }
      _ = try control.stopAll()
      try Start.start(control)
    }
  }
}

extension ServerControl {
  /// For the configuration in force.
  init(world: World) throws {
    do {
      try self.init(configuration: world.configuration, environment: world.environment)
    } catch {
      throw CommandFailure(description: "\(error)")
    }
  }

  fileprivate func keepOrFail() throws -> KeptServer {
    do {
      return try keep()
    } catch {
      throw CommandFailure(description: "the daemon could not be started: \(error)")
    }
  }

  /// Ends this configuration's server and every daemon. Throws when one does not answer, after the others have ended.
  fileprivate func stopAll() throws -> [Stop] {
    let stops = [stop(instance)] + otherDaemons().map { stop($0.0) }
    for case .silent(let process) in stops { throw CommandFailure(description: Self.silence(of: process)) }
    return stops
  }

  fileprivate static func silence(of process: Int32?) -> String {
    "the server does not answer; "
      + (process.map { "end it with: kill -KILL \($0)" } ?? "its process: pgrep -a fabrik-server")
  }
}

extension ServerControl.Presence {
  /// What to say of a server that does not answer; nil: it does, or there is none.
  var trouble: String? {
    if case .silent(let process) = self { ServerControl.silence(of: process) } else { nil }
  }
}
