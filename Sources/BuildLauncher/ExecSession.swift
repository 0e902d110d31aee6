import BuildTools
import CSpawn
import Configuration
import ControlProtocol
import Glibc
import SystemPackage
package import SystemSupport

/// `fabrik exec`, from its arguments to its exit status. Whatever goes wrong in Fabrik itself costs one line on standard
/// error; the command runs all the same.
package struct ExecSession {
  private let options: ExecOptions
  private let configuration: FabrikConfiguration
  private let environment: Environment
  private let workingDirectory: FilePath
  private let paths: StandardPaths
  private let processes: any ProcessTable = LinuxProcessTable()

  /// A command that used less processor time than this, in microseconds, compiled nothing worth a hint.
  private static let noticeableWork: Int64 = 5_000_000

  /// Runs the command and ends this process as the command ended.
  ///
  /// - Parameter arguments: what follows `exec`.
  package static func run(arguments: [[UInt8]], environment: Environment) -> Never {
    do {
      let directory = (try? FileSystem.currentDirectory()) ?? "/"
      let options = try ExecOptions(
        arguments: arguments, workingDirectory: directory, knownTools: BuildTools.names)
      if options.isVersionWanted {
        StandardStream.output.write(line: fabrikVersion)
        exit(0)
      }
      if let value = environment.nonEmpty(offVariable) {
        switch Bool(setting: value) {
        case false?: runSwitchedOff(options, environment: environment)
        case true?: break
        // A shim of a compiler's: nothing may be added to what that says.
        case nil where options.verbosity == .quiet: break
        case nil:
          StandardStream.error.write(line: "fabrik: \(offVariable)=\(value) means nothing; 'off' does without Fabrik")
        }
      }
      if !options.isDryRun, Session.isNested(environment: environment, processes: LinuxProcessTable()) {
        joinOuter(options.command, environment: environment)
      }
      try ExecSession(options: options, environment: environment, workingDirectory: directory).run()
    } catch {
      StandardStream.error.write(line: "fabrik: \(error)")
      exit(ExitStatus.usage)
    }
  }

  /// The variable with which a user does without Fabrik altogether: `off`.
  private static let offVariable = "FABRIK"

  /// The command takes this process's place, in the environment that this process was given.
  private static func runSwitchedOff(_ options: ExecOptions, environment: Environment) -> Never {
    if options.isDryRun {
      StandardStream.output.write(line: "# nothing is set: \(offVariable)=off")
      exit(0)
    }
    var environment = environment
    if !Session.isNested(environment: environment, processes: LinuxProcessTable()) { Session.clean(&environment) }
    replaceProcess(by: options.command, environment: environment)
  }

  private init(options: ExecOptions, environment: Environment, workingDirectory: FilePath) throws(ConfigurationError) {
    self.options = options
    self.workingDirectory = workingDirectory
    var environment = environment
    paths = StandardPaths(environment: environment)
    Session.clean(&environment)
    self.environment = environment
    let loader = ConfigurationLoader(
      environment: environment, workingDirectory: workingDirectory, knownTools: BuildTools.names)
    let loaded = try loader.load(named: options.configFile, flags: options.flags)
    configuration = loaded.configuration
    for problem in loaded.problems { say(problem.asIgnored) }
  }

  /// Everything is set up by the outer `exec`, which also counts and reports: the command takes this process's place.
  private static func joinOuter(_ command: [[UInt8]], environment: Environment) -> Never {
    var environment = environment
    if !ExecLibrary.suits(command[0], environment: environment) {
      ExecLibrary.remove(Session.paths(of: environment), from: &environment)
    }
    replaceProcess(by: command, environment: environment)
  }

  private static func replaceProcess(by command: [[UInt8]], environment: Environment) -> Never {
    let candidates = CommandLookup(environment: environment).candidates(for: command[0])
    let failure = CommandProcess.replace(candidates: candidates, arguments: command, environment: environment)
    explain(failure, command: command)
  }

  private static func explain(_ failure: CommandProcess.Failure, command: [[UInt8]]) -> Never {
    let name = String(decoding: command[0], as: UTF8.self)
    let isMissing = failure.exitStatus == 127 && !command[0].contains(UInt8(ascii: "/"))
    var line = "fabrik: \(name.isEmpty ? "''" : name): \(isMissing ? "command not found" : "\(failure.errno)")"
    if isMissing, name.contains(" ") { line += " (for a line of shell: fabrik exec -- sh -c '\(name)')" }
    StandardStream.error.write(line: line)
    exit(failure.exitStatus)
  }

  private func say(_ line: String) {
    if options.verbosity != .quiet { StandardStream.error.write(line: "fabrik: \(line)") }
  }

  private func sayVerbosely(_ line: String) {
    if options.verbosity == .verbose { StandardStream.error.write(line: "fabrik: \(line)") }
  }

  private func run() -> Never {
    let preparation = BuildPreparation(
      command: options.command.map { String(decoding: $0, as: UTF8.self) }, configuration: configuration,
      environment: environment, workingDirectory: workingDirectory)
    if options.isDryRun { DryRun.print(preparation, commandName: commandName) }
    let hold: ServerHold
    do {
      hold = try makeHold(on: try preparation.instance())
    } catch {
      say("no cache for this build: \(error)")
      runUncached()
    }
    runWired(hold, preparation)
  }

  private func makeHold(on instance: ServerInstance) throws(ServerFailure) -> ServerHold {
    let parameters = configuration.serverParameters
    let surroundings = ServerSurroundings(environment: environment, paths: paths, parameters: parameters)
    let terms = LeaseTerms(
      linger: configuration.linger.value, usesPeers: options.usesPeers, usesUpstreams: options.usesUpstreams,
      surroundings: surroundings.upstreams,
      tools: BuildTools.all.filter { $0.isDriven(by: commandName) }.map { $0.name }, plan: plan,
      command: CommandSummary(options.command), directory: workingDirectory)
    return try ServerHold(
      starter: ServerStarter(instance: instance, parameters: parameters, surroundings: surroundings), terms: terms)
  }

  private var plan: String? {
    // Without another layer there is nowhere to fetch from.
    let hasOtherLayers = configuration.peers.settings != nil || !configuration.upstreams.value.isEmpty
    guard configuration.prefetch.value, hasOtherLayers else { return nil }
    return BuildIdentity(command: options.command, workingDirectory: workingDirectory, home: paths.home)?.hash
  }

  private func runUncached() -> Never {
    let process = start(options.command, in: environment)
    letGoOfDescriptors(but: nil)
    process.wait().reproduce()
  }

  private func start(_ command: [[UInt8]], in environment: Environment) -> CommandProcess {
    let candidates = CommandLookup(environment: environment).candidates(for: command[0])
    do {
      return try CommandProcess(
        candidates: candidates, arguments: command, environment: environment, processes: processes)
    } catch {
      Self.explain(error, command: command)
    }
  }

  private func runWired(_ hold: consuming ServerHold, _ preparation: BuildPreparation) -> Never {
    let build = preparation.wire(
      endpoint: hold.lease.endpoint, credential: hold.lease.endpoint.bearer(lease: hold.lease.id),
      lease: hold.lease.id, instance: hold.starter.instance)
    explainWiring(build)
    let begin = ContinuousClock.now
    let command = options.command.prefix(1) + build.arguments.map { Array($0.utf8) } + options.command.dropFirst()
    // What ran before, also before a shell has become this program, is not the command's.
    let earlierWork = fabrik_children_cpu_microseconds()
    let process = start(Array(command), in: build.environment)
    letGoOfDescriptors(but: hold.lease.descriptor)
    hold.watch()
    let ending = process.wait { hold.renewIfLost() }
    let work = fabrik_children_cpu_microseconds() - earlierWork
    let elapsed = ContinuousClock.now - begin
    // From here on nothing is inherited any more, and a reader of our standard error that is gone must not decide how
    // this process ends.
    signal(SIGPIPE, SIG_IGN)
    let statistics = collectStatistics(&hold)
    report(statistics, ending: ending, elapsed: elapsed, work: work, build: build)
    ending.reproduce()
  }

  /// What COMMAND closes must be closed: a pipe's other end must not wait for this process. Standard error stays, for
  /// the report.
  private func letGoOfDescriptors(but lease: FileDescriptor?) {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    if null >= 0 {
      dup2(null, 0)
      dup2(null, 1)
    }
    let kept = lease.map { [$0.rawValue] } ?? []
    fabrik_close_descriptors_except(kept, kept.count)
  }

  /// nil when the server was lost, which has been said.
  private func collectStatistics(_ hold: inout ServerHold) -> LeaseStatistics? {
    // A new server says `ready` before it answers any tool. If it has not yet, no tool was answered.
    if !hold.isReady() {
      if hold.lease.isClosed() {
        let log = SmallFile.read(hold.starter.instance.log)
        say("the build was not cached: \(log?.split(separator: "\n").first ?? "it ended early")")
        return nil
      }
      sayIfLost(hold.losses)
      return LeaseStatistics()
    }
    guard let statistics = hold.finish(isQuiet: options.verbosity == .quiet)
    else {
      say(
        hold.lease.isClosed()
          ? "the cache server is gone; what was not cached was built"
          : "the cache server does not answer; what it has counted is missing here")
      return nil
    }
    sayIfLost(hold.losses)
    return statistics
  }

  private func sayIfLost(_ losses: Int) {
    if losses > 0 { say("the cache server was lost and started again; what it had counted is missing here") }
  }

  private var commandName: String {
    FilePath(bytes: options.command[0]).lastComponent?.string ?? ""
  }

  private func explainWiring(_ build: BuildEnvironment) {
    for remark in build.remarks {
      if remark.isFailure, remark.tool.isDriven(by: commandName) { say(remark.text) } else { sayVerbosely(remark.text) }
    }
  }

  /// - Parameter work: the command's processor time, in microseconds.
  private func report(
    _ known: LeaseStatistics?, ending: CommandProcess.Ending, elapsed: Duration, work: Int64, build: BuildEnvironment
  ) {
    let report = BuildReport(statistics: known ?? LeaseStatistics(), exitStatus: ending.shellStatus, elapsed: elapsed)
    if let file = configuration.statisticsFile.value {
      do {
        try SmallFile.write(report.json + "\n", to: file)
      } catch {
        say("the statistics were not written: \(file): \(error)")
      }
    }
    guard options.verbosity != .quiet else { return }
    for notice in report.statistics.notices { say(notice) }
    switch configuration.statistics.value {
    case .none: break
    case .json: StandardStream.error.write(line: report.json)
    case .line:
      if let line = report.line {
        StandardStream.error.write(line: line)
      }
      if ending == .exited(0), known != nil, work >= Self.noticeableWork { hintAtSilence(build, report.statistics) }
    }
  }

  /// A build that worked for a while without a question to the cache deserves a hint; a build with nothing to do does
  /// not.
  private func hintAtSilence(_ build: BuildEnvironment, _ statistics: LeaseStatistics) {
    guard statistics.isEmpty else { return }
    for (tool, wiring) in build.wirings
    where wiring.state == .wired && tool.isDriven(by: commandName) && !wiring.silenceHint.isEmpty {
      if wiring.isSilenceUsual { sayVerbosely(wiring.silenceHint) } else { say(wiring.silenceHint) }
    }
  }
}
