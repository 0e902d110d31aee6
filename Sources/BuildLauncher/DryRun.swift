import Glibc
import SystemSupport

/// `fabrik exec --dry-run`.
enum DryRun {
  /// Prints what would be set, and ends this process.
  static func print(_ preparation: BuildPreparation, commandName: String) -> Never {
    do {
      let build = try preparation.survey()
      for (name, value) in build.injected {
        // Without a server there is no port yet.
        StandardStream.output.write(line: "\(name)=\((value ?? "").replacing("127.0.0.1:0/", with: "127.0.0.1:PORT/"))")
      }
      if !build.arguments.isEmpty {
        StandardStream.output.write(line: "# \(commandName) is called with: \(build.arguments.joined(separator: " "))")
      }
      for remark in build.remarks { StandardStream.output.write(line: "# \(remark.text)") }
      exit(0)
    } catch {
      StandardStream.error.write(line: "fabrik: \(error)")
      exit(ExitStatus.usage)
    }
  }
}
