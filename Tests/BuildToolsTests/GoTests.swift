import SystemPackage
import Testing

@testable import BuildTools

@Suite("Wiring Go")
struct GoTests {
  private static func host(version: String = "go version go1.27.3 linux/amd64") -> FakeToolHost {
    var host = FakeToolHost()
    host.programs["go"] = "/usr/lib/go/bin/go"
    host.versions["/usr/lib/go/bin/go"] = version
    return host
  }

  @Test("one variable is injected: fabrik by its own path, the socket and the lease")
  func complete() {
    let wiring = Go.wire(Self.host().context())
    #expect(wiring.state == .wired)
    #expect(wiring.variables == [.init("GOCACHEPROG", "/opt/fabrik cacheprog /run/go.sock lease")])
    #expect(wiring.links == nil && wiring.kept.isEmpty && !wiring.silenceHint.isEmpty)
  }

  @Test(
    "a go that has GOCACHEPROG is wired",
    arguments: [
      "go version go1.24 linux/amd64", "go version go1.24rc1 linux/amd64", "go version go1.30.1-custom linux/arm64",
      "go version devel go1.26-d8f3a2 Mon Nov 3 linux/amd64", "go version go2.0 linux/amd64",
    ])
  func recent(version: String) {
    #expect(Go.wire(Self.host(version: version).context()).state == .wired)
  }

  @Test(
    "an older go is not, and what would help is said",
    arguments: [
      "go version go1.23.9 linux/amd64", "go version go1.4 linux/amd64", "go version go1.19", "go", "", "gopher",
    ])
  func old(version: String) {
    #expect(
      Go.wire(Self.host(version: version).context())
        == .unavailable(
          "Go is not cached: /usr/lib/go/bin/go is too old; Go 1.24 or newer has GOCACHEPROG"))
  }

  @Test("without go, or one that works, it is said what is missing")
  func missing() {
    #expect(
      Go.wire(FakeToolHost().context())
        == .unavailable("Go is not cached: there is no go on the PATH (Go 1.24 or newer: https://go.dev/dl)"))
    var host = Self.host()
    host.versions = [:]
    #expect(
      Go.wire(host.context()) == .unavailable("Go is not cached: '/usr/lib/go/bin/go version' failed"))
    host = Self.host()
    host.goCacheProgram = []
    #expect(
      Go.wire(host.context()) == .unavailable("Go is not cached: Go cannot start fabrik by its path"))
  }

  @Test("the go that is run by its path is the one that counts")
  func absolute() {
    var host = FakeToolHost()
    host.files["/opt/go/bin/go"] = ""
    host.versions["/opt/go/bin/go"] = "go version go1.25.1 linux/amd64"
    #expect(Go.wire(host.context(command: ["/opt/go/bin/go", "build"])).state == .wired)
    #expect(Go.wire(host.context(command: ["/opt/other/bin/go", "build"])).state != .wired)
  }

  @Test("what the user has set is left alone, in the environment or in Go's files", arguments: ["helper", ""])
  func environment(value: String) {
    #expect(
      Go.wire(Self.host().context(["GOCACHEPROG": value])) == .leftAlone("GOCACHEPROG is set"))
  }

  @Test("files of `go env -w` and of the installation count")
  func files() {
    func state(_ file: FilePath, _ text: String, _ variables: KeyValuePairs<String, String> = [:]) -> Wiring.State {
      var host = Self.host()
      host.files[file] = text
      return Go.wire(host.context(variables)).state
    }
    let text = "# comment\nGOFLAGS=-mod=mod\nGOCACHEPROG=helper --x\n"
    let user: FilePath = "/home/me/.config/go/env"
    #expect(state(user, text) == .leftAlone("GOCACHEPROG is set in \(user)"))
    #expect(state(user, "#GOCACHEPROG=helper\nGOCACHEPROGX=1\nGOCACHEPROG=\n") == .wired)
    #expect(state(user, text, ["GOENV": "off"]) == .wired)
    #expect(state("/xdg/go/env", text, ["XDG_CONFIG_HOME": "/xdg"]) == .leftAlone("GOCACHEPROG is set in /xdg/go/env"))
    #expect(state("/my/env", text, ["GOENV": "/my/env"]) == .leftAlone("GOCACHEPROG is set in /my/env"))
    #expect(state("/usr/lib/go/go.env", text) == .leftAlone("GOCACHEPROG is set in /usr/lib/go/go.env"))
    #expect(state("/root/go.env", text, ["GOROOT": "/root"]) == .leftAlone("GOCACHEPROG is set in /root/go.env"))
  }

  @Test("words are quoted so that Go splits them again")
  func quoting() {
    func value(_ words: String...) -> String? {
      var host = Self.host()
      host.goCacheProgram = words
      return Go.wire(host.context()).value("GOCACHEPROG")
    }
    #expect(value("/my programs/fabrik", "cacheprog") == "'/my programs/fabrik' cacheprog")
    #expect(value("/o'neill's programs/fabrik") == "\"/o'neill's programs/fabrik\"")
    #expect(value("/o'neill/fabrik", "") == "/o'neill/fabrik ''")
    #expect(value("/o'neill's \"programs\"/fabrik") == nil)
  }

  @Test("programs that usually run go are known", arguments: ["go", "gotestsum", "goreleaser", "mage", "task"])
  func drivers(command: String) {
    #expect(Go.isDriven(by: command) && !Go.isDriven(by: "make"))
  }
}
