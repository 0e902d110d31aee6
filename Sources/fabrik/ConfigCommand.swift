import ArgumentParser
import BuildTools
import Configuration
import SystemPackage
import SystemSupport

/// `fabrik config`: what is configured, and where.
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show, check or begin the configuration.",
    subcommands: [Show.self, Check.self, Initialize.self])

  /// The values in force.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the values in force and where each comes from.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let world = try World(options)
      let rows = world.configuration.rows
      let width = rows.map { $0.key.count + $0.written.count }.max() ?? 0
      format.print(
        rows.map { ($0.key, .object([("value", .string($0.value)), ("from", .string($0.origin))])) },
        lines: rows.map { row in
          let gap = String(repeating: " ", count: width - row.key.count - row.written.count + 2)
          return "\(row.key) = \(row.written)\(gap)# \(row.origin)"
        })
    }
  }

  /// Whether the files are right.
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check the configuration; the exit status is 125 if something is wrong.")

    @OptionGroup var options: ConfigurationOption

    func run() throws {
      let world = try World(options, saysProblems: false)
      for problem in world.loaded.problems { StandardStream.error.write(line: "fabrik: \(problem)") }
      guard world.loaded.problems.isEmpty else { throw ExitCode(ExitStatus.usage) }
      for remark in world.remarks { StandardStream.error.write(line: "fabrik: \(remark)") }
      let files = world.loaded.files.map(\.string)
      StandardStream.output.write(
        line: files.isEmpty
          ? "there is no configuration file; the defaults apply" : "fine: \(files.joined(separator: ", "))")
    }
  }

  /// A file to begin with.
  struct Initialize: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "init", abstract: "Write a .fabrik.toml with every key and its default, commented out.")

    func run() throws {
      let path = try FileSystem.currentDirectory().appending(ConfigurationFile.projectName)
      do {
        let file = try FileDescriptor.open(
          path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
          permissions: [.ownerReadWrite, .groupRead, .otherRead])
        try file.closeAfter { _ = try file.writeAll(ConfigurationFile.template.utf8) }
      } catch Errno.fileExists {
        throw CommandFailure(description: "\(path) is there already; it was left as it is")
      } catch {
        throw CommandFailure(description: "\(path): \(error)")
      }
      StandardStream.output.write(line: "wrote \(path)")
    }
  }
}
