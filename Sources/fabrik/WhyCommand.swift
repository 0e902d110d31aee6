import ArgumentParser
import BuildLauncher
import BuildRecords
import CSpawn
import CacheStore
import Configuration
import ControlProtocol
import SystemSupport

/// `fabrik why`: what became of the lookups of the last builds.
struct WhyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Show why lookups of the last builds missed, layer by layer.",
    discussion: """
      KEY is NAMESPACE/HEX, the digits alone, or how they begin (at least six). Without it, the misses of the last build \
      are shown by their reasons, with keys to go on with. The last \(BuildHistory.limit) builds are remembered.
      """)

  /// Digits that are enough of a key.
  private static let leastDigits = 6
  /// Keys with the same beginning that are shown.
  private static let mostKeys = 5

  @Argument(
    help: ArgumentHelp("A key, or its beginning.", valueName: "key"),
    completion: .custom { _, _, _ in keysOfLastMisses })
  var key: String?

  @Option(help: ArgumentHelp("Which of the last builds; 1 is the last.", valueName: "number"))
  var build = 1

  @Flag(help: "List the last builds.")
  var builds = false

  @OptionGroup var options: ConfigurationOption
  @OptionGroup var format: FormatOption

  /// For completion: more than anybody would look through.
  private static let mostCompletions = 50

  private static var keysOfLastMisses: [String] {
    let paths = StandardPaths(environment: Environment(block: fabrik_environ()))
    guard let record = BuildHistory(stateDirectory: paths.state).all().first else { return [] }
    return record.lookups.lazy.filter { record.trails[$0.trail].isMiss }.prefix(mostCompletions).map(\.key.description)
  }

  func validate() throws {
    guard let key else { return }
    if builds { throw ValidationError("--builds lists builds; it takes no key") }
    let digits = KeyPattern(key)?.digits.count ?? 0
    guard digits > 0 else { throw ValidationError("'\(key)' is not a key: NAMESPACE/HEX, or hexadecimal digits") }
    guard digits >= Self.leastDigits || key.contains("/") else {
      throw ValidationError("'\(key)' is too short: at least \(Self.leastDigits) digits are needed")
    }
  }

  func run() throws {
    let world = try World(options)
    let paths = StandardPaths(environment: world.environment)
    // What runs still, and what has just ended.
    try? ServerControl(configuration: world.configuration, environment: world.environment).recordBuilds()
    let records = BuildHistory(stateDirectory: paths.state).all()
    if let key = key.flatMap(KeyPattern.init) { return try explain(key, records, world) }
    if builds { return list(records) }
    if !records.isEmpty, !(1...records.count).contains(build) {
      throw CommandFailure(
        description: "there is no build \(build); the last is 1, the first that is kept \(records.count)")
    }
    guard !records.isEmpty else {
      format.print(
        [("schema", .integer(1)), ("builds", .array([]))],
        lines: ["no build has asked for anything yet"])
      return
    }
    let report = BuildExplanation(records[build - 1])
    format.print([("schema", .integer(1)), ("builds", .array([report.json]))], lines: report.lines)
  }

  private func list(_ records: [BuildRecord]) {
    var table = TextTable(header: ["BUILD", "WHEN", "LOOKUPS", "MISSES", "COMMAND", "DIRECTORY"])
    let explanations = records.map(BuildExplanation.init)
    for (number, build) in explanations.enumerated() {
      table.add([
        "\(number + 1)", build.when, "\(build.record.lookupCount)", "\(build.record.misses)", build.command,
        build.directory,
      ])
    }
    format.print(
      [("schema", .integer(1)), ("builds", .array(explanations.map { .object($0.head) }))],
      lines: records.isEmpty ? ["no build has asked for anything yet"] : table.lines)
  }

  private func explain(_ pattern: KeyPattern, _ records: [BuildRecord], _ world: World) throws {
    var keys: [CacheKey] = []
    var known: Set<CacheKey> = []
    for record in records {
      for lookup in record.lookups where pattern.matches(lookup.key) && known.insert(lookup.key).inserted {
        keys.append(lookup.key)
      }
    }
    // A whole key is as good as its beginning.
    if let exact = keys.first(where: { $0.description.hasSuffix("/\(pattern.digits)") }) { keys = [exact] }
    let omitted = max(0, keys.count - Self.mostKeys)
    if keys.isEmpty { keys = pattern.candidates(namespaces: Set(records.flatMap { $0.lookups.map(\.key.namespace) })) }
    let scopes = Set(records.map(\.scope) + [.private])
    let stores = try scopes.map { try world.openStore(scope: $0) }
    var explanations = keys.prefix(Self.mostKeys).map { key in
      KeyExplanation(key: key, records: records, stores: stores)
    }
    if explanations.count > 1, known.isEmpty { explanations = explanations.filter(\.isHeld) }
    var lines = explanations.flatMap { $0.lines + [""] }.dropLast()
    if known.isEmpty, explanations.isEmpty {
      lines = ["none of the last \(records.count) builds asked for a key that begins with \(pattern.digits)"]
    }
    if omitted > 0 { lines += ["", "\(omitted) more keys begin with \(pattern.digits)"] }
    format.print(
      [("schema", .integer(1)), ("keys", .array(explanations.map(\.json))), ("omitted", .integer(omitted))],
      lines: Array(lines))
  }
}
