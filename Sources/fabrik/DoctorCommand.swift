import ArgumentParser
import BuildLauncher
import CacheStore
import Configuration
import ControlProtocol
import PeerRecords
import SystemPackage
import SystemSupport

/// `fabrik doctor`: what is in force, and whether it works.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check the tools, the configuration, the cache, the peers and the upstreams.",
    discussion: """
      Each upstream is read and written for a trial. A tool that is not installed is no mistake. The exit status is 1 if \
      something that is configured does not work.
      """)

  @OptionGroup var options: ConfigurationOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let world = try World(options)
    let (summary, storeProblem) = Self.open(world)
    let control = try ServerControl(world: world)
    let upstreams = world.configuration.upstreams.value.isEmpty ? [] : try control.checkUpstreams()
    let presence = control.presence()
    let server = presence.status
    let programs = ProgramReport()
    let files = world.loaded.files.map(\.string)
    let peers = PeerReports(world, control, server)
    let tools = try tools(world)
    let width = tools.map(\.name.count).max() ?? 0
    let isSound =
      storeProblem == nil && peers.isSound && programs.isComplete && presence.trouble == nil
      && world.loaded.problems.isEmpty
      && upstreams.allSatisfy { !$0.reading.isProblem && !$0.writing.isProblem }
    format.print(
      [
        ("version", .string(fabrikVersion)), ("sound", .bool(isSound)), ("programs", programs.json),
        ("files", .array(files.map { .string($0) })),
        ("problems", .array(world.loaded.problems.map { .string("\($0)") })),
        (
          "cache",
          .object([
            ("path", .string(world.configuration.cacheDirectory.value.string)),
            ("bytes", summary.map { .integer($0.bytes) } ?? .null),
            ("max_bytes", summary.map { .integer($0.maxSize) } ?? .null),
            ("problem", storeProblem.map { .string($0) } ?? .null),
          ])
        ),
        ("server", .bool(server != nil)), ("daemon", .bool(server?.isDaemon == true)), ("peers", .bool(peers.isOn)),
        ("secret", .string(peers.secret)), ("connected", .integer(peers.connected)),
        ("pending", .integer(peers.pending)),
        ("clock_offset_ms", peers.clockOffset.map { .integer($0) } ?? .null),
        ("tools", .array(tools.map(\.json))), ("upstreams", .array(upstreams.map(\.json))),
      ],
      lines: [
        "version        \(fabrikVersion)",
        "programs       \(programs.line)",
        "configuration  \(files.isEmpty ? "none; the defaults apply" : files.joined(separator: ", "))",
        "cache          "
          + (summary.map {
            "\(world.configuration.cacheDirectory.value), \(ByteSize(bytes: $0.bytes)) of at most "
              + "\(ByteSize(bytes: $0.maxSize))"
          } ?? storeProblem ?? ""),
        "server         \(server.map { $0.isDaemon ? "daemon" : "for builds" } ?? presence.trouble ?? "not running")",
        "peers          \(peers.line)",
        "secret         \(peers.secret)",
        "clock          \(peers.clockLine)",
        "upstreams      \(upstreams.isEmpty ? "none" : "\(upstreams.count)")",
      ] + world.remarks.map { "  → \($0)" } + Self.table(upstreams) + ["tools"]
        + tools.flatMap { $0.lines(width: width) })
    guard isSound else { throw ExitCode(1) }
  }

  private static func open(_ world: World) -> (CacheStore.Summary?, String?) {
    do {
      return (try world.openStore().summary, nil)
    } catch {
      return (nil, "\(error)")
    }
  }

  private func tools(_ world: World) throws -> [ToolReport] {
    do {
      return try world.preparation.survey().wirings.map { ToolReport($0.tool, $0.wiring) }
    } catch {
      throw CommandFailure(description: "no place for a server: \(error)")
    }
  }

  private static func table(_ upstreams: [UpstreamReport]) -> [String] {
    upstreams.flatMap { upstream in
      let latency = upstream.latencyMicroseconds.map { ", \(Quantity.format(Double($0) / 1000, decimals: 2)) ms" } ?? ""
      let waiting = upstream.waiting > 0 ? ", \(upstream.waiting) entries wait to be sent" : ""
      return [
        "  \(DisplayText.clean(upstream.url, limit: 200)) (\(upstream.layer.rawValue))",
        "    read   \(upstream.reading.line)\(latency)",
        "    write  \(upstream.writing.line)\(waiting)",
      ]
    }
  }
}

extension UpstreamReport.Right {
  fileprivate var isProblem: Bool { if case .problem = self { true } else { false } }

  fileprivate var line: String {
    switch self {
    case .granted: "works"
    case .notWanted: "not wanted: read_only"
    case .problem(let text): "does not work: \(DisplayText.clean(text, limit: 500))"
    }
  }

  fileprivate var json: JSONText {
    switch self {
    case .granted: .string("works")
    case .notWanted: .string("read_only")
    case .problem(let text): .string(text)
    }
  }
}

extension UpstreamReport {
  fileprivate var json: JSONText {
    .object([
      ("url", .string(url)), ("layer", .string(layer.rawValue)), ("read", reading.json), ("write", writing.json),
      (
        "latency_ms",
        latencyMicroseconds.map { .number(Quantity.format(Double($0) / 1000, decimals: 3)) } ?? .null
      ), ("waiting", .integer(waiting)),
    ])
  }
}
