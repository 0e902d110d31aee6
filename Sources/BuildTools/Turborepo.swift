import SystemPackage

/// JavaScript and TypeScript workspaces through Turborepo, which takes its remote cache from the environment.
package enum Turborepo: BuildTool {
  package static let name = "turbo"
  package static let purpose = "Turborepo"
  package static let namespaces = ["turbo"]

  package static func isDriven(by command: String) -> Bool { command == "turbo" }

  package static func wire(_ context: BuildContext) -> Wiring {
    if let variable = context.firstSet(
      of: "TURBO_API", "TURBO_TOKEN", "TURBO_TEAM", "TURBO_TEAMID", "TURBO_CACHE", "TURBO_REMOTE_ONLY")
    {
      return .leftAlone("\(variable) is set")
    }
    // `turbo link` writes the team there.
    if let file = context.projectRoot?.appending(".turbo/config.json"), let text = context.host.read(file),
      text.contains("\"teamId\"") || text.contains("\"teamid\"") || text.contains("\"apiUrl\"")
        || text.contains("\"apiurl\"")
    {
      return .leftAlone("the repository is linked to a remote cache in \(file)")
    }
    var wiring = Wiring()
    wiring.program = context.host.find(name)?.string
    wiring.variables = [
      .init("TURBO_API", context.endpoints.address("/turbo")), .init("TURBO_TOKEN", context.endpoints.httpToken),
      // Without a team the client does not look for a remote cache; which one makes no difference here.
      .init("TURBO_TEAM", "fabrik"),
    ]
    wiring.silenceHint = "turbo asked for no cached results; was it run with --cache or --force?"
    return wiring
  }
}
