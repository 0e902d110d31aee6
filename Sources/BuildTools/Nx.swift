import SystemPackage

/// JavaScript and TypeScript workspaces through Nx (20.8 or newer), which takes its remote cache from the environment.
package enum Nx: BuildTool {
  package static let name = "nx"
  package static let purpose = "Nx"
  package static let namespaces = ["nx"]

  package static func isDriven(by command: String) -> Bool { command == "nx" || command == "lerna" }

  package static func wire(_ context: BuildContext) -> Wiring {
    if let variable = context.firstSet(
      of: "NX_SELF_HOSTED_REMOTE_CACHE_SERVER", "NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN", "NX_CLOUD_ACCESS_TOKEN",
      "NX_SKIP_NX_CACHE", "NX_SKIP_REMOTE_CACHE", "NX_DISABLE_REMOTE_CACHE")
    {
      return .leftAlone("\(variable) is set")
    }
    if let file = context.projectRoot?.appending("nx.json"), let text = context.host.read(file),
      text.contains("\"nxCloudId\"") || text.contains("\"nxCloudAccessToken\"")
    {
      return .leftAlone("the workspace is connected to Nx Cloud in \(file)")
    }
    // It takes a server that is gone for a failure, and nobody would start another.
    if context.use == .shell { return .leftAlone("Nx fails when the server of a shell ends") }
    var wiring = Wiring()
    wiring.program = context.host.find(name)?.string
    wiring.variables = [
      .init("NX_SELF_HOSTED_REMOTE_CACHE_SERVER", context.endpoints.address("/nx")),
      .init("NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN", context.endpoints.httpToken),
    ]
    wiring.silenceHint = "nx asked for no cached results; before version 20.8 it cannot"
    return wiring
  }
}
