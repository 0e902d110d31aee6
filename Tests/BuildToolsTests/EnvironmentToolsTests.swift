import BuildTools
import SystemPackage
import SystemSupport
import Testing

@Suite("Turborepo, Nx and vcpkg")
struct EnvironmentToolsTests {
  private static let tools: [any BuildTool.Type] = [Turborepo.self, Nx.self, Vcpkg.self]

  @Test("get the front end's address and token by the environment alone")
  func wired() {
    let context = FakeToolHost().context()
    let turbo = Turborepo.wire(context)
    #expect(turbo.value("TURBO_API") == "http://127.0.0.1:4711/turbo")
    #expect(turbo.value("TURBO_TOKEN") == "token")
    #expect(turbo.value("TURBO_TEAM") != nil)
    let nx = Nx.wire(context)
    #expect(nx.value("NX_SELF_HOSTED_REMOTE_CACHE_SERVER") == "http://127.0.0.1:4711/nx")
    #expect(nx.value("NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN") == "token")
    #expect(
      Vcpkg.wire(context).value("VCPKG_BINARY_SOURCES")
        == "http,http://127.0.0.1:4711/vcpkg/{sha},readwrite,Authorization: Bearer token")
    for tool in Self.tools { #expect(tool.wire(context).links == nil && tool.wire(context).arguments.isEmpty) }
  }

  @Test(
    "are left alone when the user has a cache for them",
    arguments: [
      "TURBO_API", "TURBO_TOKEN", "TURBO_TEAM", "TURBO_TEAMID", "TURBO_CACHE", "NX_CLOUD_ACCESS_TOKEN",
      "NX_SELF_HOSTED_REMOTE_CACHE_SERVER", "VCPKG_BINARY_SOURCES",
    ])
  func leftAlone(variable: String) throws {
    let context = FakeToolHost().context([:])
    var environment = context.environment
    environment[variable] = "mine"
    let wirings = Self.tools.map { $0.wire(FakeToolHost().context(in: environment)) }
    #expect(wirings.filter { $0.state == .leftAlone("\(variable) is set") }.count == 1)
    #expect(wirings.filter { $0.state == .wired }.count == 2)
  }

  @Test("a repository that is linked to a remote cache is left alone")
  func linked() {
    var host = FakeToolHost()
    host.files = [
      "/src/project/.turbo/config.json": #"{"teamId": "team_1"}"#, "/src/project/nx.json": #"{"nxCloudId": "1"}"#,
    ]
    #expect(Turborepo.wire(host.context()).state != .wired)
    #expect(Nx.wire(host.context()).state != .wired)
    host.files = ["/src/project/.turbo/config.json": "{}", "/src/project/nx.json": "{}"]
    #expect(Turborepo.wire(host.context()).state == .wired)
    #expect(Nx.wire(host.context()).state == .wired)
  }
}
